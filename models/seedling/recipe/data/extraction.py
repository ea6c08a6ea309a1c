"""Fields out of a sentence, as compact JSON with the keys that were asked for, in the order asked."""

import json

from data.exchange import Exchange, ask
from data.holdout import draw
from data.phrase import expand
from data.words import COLOURS, DAYS, JOBS, MONTHS, THINGS, any_word, city, first_name, full_name, pseudo_word

PEOPLE = [
    "{name} is {age} and lives in {city}.",
    "{name} is {age} years old and lives in {city}.",
    "{name}, {age}, lives in {city}.",
    "{name} ({age}) lives in {city}.",
    "My name is {name}, I am {age} [years old|] and I live in {city}.",
    "I am {name}, {age} years old, from {city}.",
    "{name} is a {age} year old {job} from {city}.",
    "{name} is a {job} from {city} [who is|and is] {age} years old.",
    "{name} lives in {city} and works as a {job}.",
    "{name} works as a {job} in {city}.",
    "In {city} lives a {job} called {name}, aged {age}.",
    "{name} is {age} years old and works as a {job}.",
    "{name} is {age} and works as a {job} in {city}.",
    "You can reach {name} at {email}.",
    "{name}, {job}, {city}, {email}",
    "[Write to|Contact] {name} in {city} at {email}.",
    "At {age}, {name} moved to {city} to work as a {job}.",
    "The {job} {name} from {city} turned {age} [today|this year].",
    "[He|She] is called {name}, is {age} and comes from {city}.",
    "Name: {name}, age: {age}, city: {city}",
    "name: {name}; city: {city}; job: {job}",
    "{name} from {city} is {age}.",
]
ORDERS = [
    "{name} bought {quantity} {item} for {price} euros.",
    "{name} ordered {quantity} {item} from {city}.",
    "The {item} is {color} and costs {price} dollars.",
    "The {color} {item} costs {price} euros.",
    "A {color} {item} for {price} dollars.",
    "Order {number}: {quantity} {item}, to be sent to {city}.",
    "{name} sold a {color} {item} for {price} euros.",
    "Please send {quantity} {item} to {name} in {city}.",
    "We have {quantity} {color} {item} at {price} dollars each.",
]
EVENTS = [
    "The meeting with {name} is on {day} at {time} in {city}.",
    "{name} arrives in {city} on {day}.",
    "The concert in {city} starts at {time} on {day}.",
    "The train to {city} leaves at {time}.",
    "On {day}, {name} flies to {city} at {time}.",
    "{name} was born on {date} in {city}.",
    "The party is on {date} at {time} in {city}.",
    "Lunch with {name} on {day} at {time}.",
]
REQUESTS = [
    "Extract {fields} as JSON: {text}",
    "Extract [the|] {fields} [as JSON|to JSON|in JSON|into JSON][:| from this text:| from:| from this sentence:] {text}",
    "[Return|Give me] [the|] {fields} as JSON[:| from this text:| for:] {text}",
    "[Please|Can you|] extract {fields} from [the|this] [text|sentence] as JSON[.|:|?] {text}",
    "{text} Extract {fields} as JSON.",
    "{text} [Give|Return] [the|] {fields} as JSON.",
    "Get [the|] {fields} as JSON from: {text}",
    "[Make|Write] JSON with {fields}[:| from:] {text}",
    "JSON with [the fields|the keys|] {fields}: {text}",
    "From the text \"{text}\" extract {fields} as JSON.",
    "Extract {fields} as JSON.\n\n{text}",
    "Extract {fields} as JSON from the following text:\n{text}",
    "Text: {text}\n[Fields|Extract]: {fields} [as JSON|]",
]

AGAIN = ["[Now|And|Now only|Only|Now extract|And now|Just] {fields}[.| as JSON.| please.|]", "Extract {fields}[ as JSON|][.|]"]


def values(rng) -> dict:
    """One value for every field a template may use; numbers are numbers, so that the JSON has none in quotes."""
    name = full_name(rng) if rng.random() < 0.3 else first_name(rng)
    user = name.split()[0].lower()
    thing = rng.choice(THINGS) if rng.random() < 0.6 else pseudo_word(rng)
    return {
        "name": name,
        "age": rng.randint(1, 99),
        "city": city(rng),
        "job": rng.choice(JOBS) if rng.random() < 0.7 else pseudo_word(rng),
        "email": f"{user}@{pseudo_word(rng, 3, 7)}.{rng.choice(['com', 'org', 'net', 'de', 'io'])}",
        "quantity": rng.randint(2, 99),
        "item": thing,
        "price": rng.choice([rng.randint(1, 999), rng.randint(1, 99), rng.randint(1, 9999) / 100]),
        "color": rng.choice(COLOURS),
        "number": rng.randint(100, 99999),
        "day": rng.choice(DAYS),
        "time": f"{rng.randint(0, 23):02d}:{rng.choice([0, 5, 15, 30, 45]):02d}",
        "date": f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1950, 2030)}",
    }


def listed(rng, fields: list[str]) -> str:
    if len(fields) == 1:
        return fields[0]
    last = rng.choice([" and ", " and ", ", "])
    return ", ".join(fields[:-1]) + last + fields[-1]


def free_form(rng) -> tuple[str, dict]:
    """'key: value' pairs with invented keys: what is asked for must be read, it cannot be known."""
    fields = {}
    for _ in range(rng.randint(2, 4)):
        key = pseudo_word(rng, 3, 8) if rng.random() < 0.6 else rng.choice(["title", "year", "author", "brand", "size", "status", "country", "team", "model", "id", "language"])
        fields[key] = rng.randint(1, 3000) if rng.random() < 0.35 else rng.choice([pseudo_word(rng), city(rng), full_name(rng), any_word(rng), any_word(rng) + " " + any_word(rng)])
    joined = [f"{key}{rng.choice([': ', ' is ', ' = ', '='])}{value}" for key, value in fields.items()]
    return rng.choice([", ", "; ", ", "]).join(joined) + rng.choice(["", "."]), fields


def draw_text(rng) -> tuple[str, dict]:
    if rng.random() < 0.08:
        return free_form(rng)
    template = rng.choice(rng.choice([PEOPLE, PEOPLE, ORDERS, EVENTS]))
    known = values(rng)
    text = expand(rng, template).format(**known)
    return text, {k: known[k] for k in known if "{" + k + "}" in template}


def some(rng, known: dict) -> dict:
    """Any of the known fields in any order: which ones can only be read in the request, never guessed from the text."""
    fields = list(known)
    if rng.random() < 0.75:
        rng.shuffle(fields)
        fields = fields[: rng.randint(1, len(fields))]
    found = {field: known[field] for field in fields}
    if rng.random() < 0.04:
        missing = rng.choice(["phone", "email", "age", "city", "country", "price", "name"])
        if missing not in known:
            found[missing] = None
    return found


def compact(found: dict) -> str:
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def extraction(rng, split: str) -> Exchange:
    text, known = draw(rng, split, draw_text, lambda t: t[0])
    found = some(rng, known)
    question = expand(rng, rng.choice(REQUESTS)).format(fields=listed(rng, list(found)), text=text)
    made = ask("extraction", question, compact(found), {"kind": "json", "value": found})
    if split == "train" and rng.random() < 0.4:
        # The same text, asked again for other fields: more to learn from one long prompt.
        for _ in range(rng.randint(1, 3)):
            found = some(rng, known)
            again = expand(rng, rng.choice(AGAIN)).format(fields=listed(rng, list(found)))
            made.messages += ask("extraction", again, compact(found)).messages
    return made
