"""Calling a tool that fits, leaving alone those that do not, and answering from a result.

Three quarters of the definitions are everyday ones as people write them for an SDK; the others are invented (names, nouns and
parameters made up on the spot), so that the model reads the definitions it is given instead of knowing a few.
"""

import json
import re

from data.exchange import Exchange
from data.holdout import draw
from data.phrase import casual, expand
from data.words import CURRENCIES, DAYS, LANGUAGES, ROOMS, THINGS, any_word, city, first_name, full_name, pseudo_word


def phrase_of(rng) -> str:
    return " ".join(any_word(rng) for _ in range(rng.randint(1, 3)))


def amount(rng) -> int:
    return rng.randint(1, 99) if rng.random() < 0.8 else rng.randint(100, 2000)


# (tool names, descriptions, parameters {slot: (names, type, descriptions)}, questions)
TOOLS = [
    ("get_weather|weather|get_current_weather|fetch_weather|getWeather|weather_lookup",
     "Get the [current|] weather [in|for] a [city|location|place][.|]|Returns the [current|] weather [of|for] a city[.|]|[Look up|Fetch] the weather",
     {"city": ("city|location|place|town", "string", "The city [name|][.|]|City, e.g. Paris|Name of the city")},
     ["[What is|What's|How is|How's] the weather [in|like in] {city}[ today| now|][?|]", "[Tell me|Check] the weather in {city}[.|]", "Weather in {city}[?|]", "Is it [raining|sunny|cold|warm|hot|snowing] in {city}[ today| now|]?", "What is the temperature in {city}?", "Do I need [an umbrella|a coat] in {city}?"]),
    ("get_time|get_current_time|current_time|time_in|getTime|clock",
     "Get the [current|] time in a [city|place][.|]|Returns the local time [of|for] a city[.|]|[Tells|Tell] the time",
     {"city": ("city|location|place|timezone", "string", "The city [name|][.|]|City, e.g. Berlin|Name of the place")},
     ["[What is|What's] the [current|local|] time in {city}[?|]", "What time is it in {city}[ now|][?|]", "[Tell me|Check] the time in {city}[.|]", "Time in {city}[?|]"]),
    ("add|add_numbers|sum|plus", "Add two [numbers|integers][.|]|Adds a and b|Returns the sum of two numbers[.|]",
     {"a": ("a|x|first|left", "number|integer", "[The|] first number"), "b": ("b|y|second|right", "number|integer", "[The|] second number")},
     ["[What is|What's|Calculate|How much is] {a} + {b}[?|]", "Add {a} and {b}[.|]", "{a}+{b}[?|]", "[What is|What's] {a} plus {b}[?|]", "[What is|] the sum of {a} and {b}[?|]"]),
    ("subtract|minus|sub", "Subtract [two numbers|b from a][.|]|Returns the difference of two numbers[.|]",
     {"a": ("a|x|first|left", "number|integer", "[The|] first number"), "b": ("b|y|second|right", "number|integer", "[The|] second number")},
     ["[What is|What's|Calculate|How much is] {a} - {b}[?|]", "Subtract {b} from {a}[.|]", "[What is|What's] {a} minus {b}[?|]"]),
    ("multiply|times|mul|product", "Multiply two [numbers|integers][.|]|Returns the product of two numbers[.|]",
     {"a": ("a|x|first|left", "number|integer", "[The|] first number"), "b": ("b|y|second|right", "number|integer", "[The|] second number")},
     ["[What is|What's|Calculate|How much is] {a} [*|x|times] {b}[?|]", "Multiply {a} [and|by|with] {b}[.|]", "[What is|] the product of {a} and {b}[?|]"]),
    ("search|web_search|search_web|google|find", "Search the [web|internet][.|]|[Look up|Find] [something|information] on the web[.|]|Web search",
     {"query": ("query|q|text|term", "string", "[The|] search [query|terms][.|]|What to search for")},
     ["Search [the web|the internet|online|] for {query}[.|]", "[Look up|Google|Find] {query} [on the web|online|][.|]", "[Please|Can you] search for {query}[?|.|]"]),
    ("send_email|email|send_mail|sendEmail", "Send an email[.|]|Sends a mail to [someone|a person][.|]",
     {"to": ("to|recipient|address", "string", "[The|] recipient|Who gets it"), "subject": ("subject|title|about", "string", "[The|] subject [line|]")},
     ["[Send|Write] an email to {to} about {subject}[.|]", "Email {to} about {subject}[.|]", "[Please|Can you] send {to} an email about {subject}[?|.|]"]),
    ("set_timer|timer|start_timer|setTimer", "Set a timer[.|]|Start a timer for some minutes[.|]",
     {"minutes": ("minutes|duration|mins", "integer|number", "[Number of|] minutes|How long, in minutes")},
     ["Set a timer for {minutes} minutes[.|]", "[Start|Set] a {minutes} minute timer[.|]", "Timer for {minutes} minutes[.|]", "Wake me in {minutes} minutes[.|]"]),
    ("convert_currency|convert|exchange|currency", "Convert money [from one currency to another|between currencies][.|]|Currency conversion",
     {"amount": ("amount|value|sum", "number", "[The|] amount [of money|]"), "from": ("from|source|from_currency", "string", "[The|] source currency|Currency code"), "to": ("to|target|to_currency", "string", "[The|] target currency|Currency code")},
     ["Convert {amount} {from} to {to}[.|]", "How much is {amount} {from} in {to}[?|]", "What are {amount} {from} in {to}[?|]"]),
    ("get_stock_price|stock_price|stock|get_price|quote", "Get the [stock|share] price of a company[.|]|Returns the [latest|current] share price[.|]",
     {"symbol": ("symbol|company|ticker|name", "string", "[The|] [company|ticker symbol]")},
     ["[What is|What's] the [stock|share] price of {symbol}[?|]", "[Get|Check] the [stock|share] price of {symbol}[.|]", "How much is {symbol} stock[?|]"]),
    ("translate|translate_text|translation", "Translate [a text|text|a word] [to|into] another language[.|]",
     {"text": ("text|input|word", "string", "[The|] text [to translate|]"), "language": ("language|target|to|target_language", "string", "[The|] target language")},
     ["Translate {text} [to|into] {language}[.|]", "[How do you say|What is] {text} in {language}[?|]"]),
    ("read_file|open_file|cat|get_file|readFile", "Read a file[.|]|Returns the content of a file[.|]",
     {"path": ("path|file|filename|name", "string", "[The|] path [of the file|]|File name")},
     ["[Read|Open|Show] [the file|] {path}[.|]", "What is in [the file|] {path}[?|]", "[Please|Can you] read {path}[?|.|]"]),
    ("get_user|lookup_user|find_user|user_info", "[Get|Look up|Find] a user by [id|number][.|]",
     {"id": ("id|user_id|userId|number", "integer|number", "[The|] [user id|id]")},
     ["[Get|Find|Show|Look up] user {id}[.|]", "Who is user {id}[?|]", "Show me the user with id {id}[.|]"]),
    ("create_event|add_event|schedule|calendar_add", "[Create|Add] [a calendar event|an event][.|]|Put [a meeting|something] into the calendar[.|]",
     {"title": ("title|name|event|summary", "string", "[The|] title"), "day": ("day|date|when", "string", "[The|] day")},
     ["[Create|Add] an event {title} on {day}[.|]", "[Schedule|Plan] {title} for {day}[.|]", "Put {title} on {day} into my calendar[.|]"]),
    ("roll_dice|dice|roll", "Roll [a die|dice][.|]", {"sides": ("sides|faces|n", "integer", "[Number of|] sides")},
     ["Roll a die with {sides} sides[.|]", "Roll a {sides} sided die[.|]"]),
    ("play_music|play|play_song", "Play [music|a song][.|]", {"song": ("song|title|track|name", "string", "[The|] [song|title]")},
     ["Play {song}[.|]", "Play the song {song}[.|]", "I want to hear {song}[.|]"]),
    ("turn_on|switch_on|lights_on", "Turn on [the light|a lamp|the lights] in a room[.|]", {"room": ("room|place|where", "string", "[The|] room")},
     ["Turn on the [light|lights|lamp] in the {room}[.|]", "[Lights|Light] on in the {room}[.|]", "Switch on the {room} light[.|]"]),
]

SLOT_VALUES = {
    "city": city, "query": phrase_of, "to": lambda rng: rng.choice([first_name(rng), full_name(rng), f"{first_name(rng).lower()}@{pseudo_word(rng, 3, 6)}.com"]),
    "subject": phrase_of, "minutes": amount, "a": amount, "b": amount, "amount": amount, "id": lambda rng: rng.randint(1, 99999),
    "symbol": lambda rng: rng.choice([pseudo_word(rng).capitalize(), pseudo_word(rng, 3, 5).upper(), "Apple", "Tesla", "Google"]),
    "text": phrase_of, "language": lambda rng: rng.choice(LANGUAGES),
    "path": lambda rng: rng.choice(["", "/tmp/", "src/", "docs/"]) + any_word(rng) + rng.choice([".txt", ".md", ".json", ".py", ".csv"]),
    "title": phrase_of, "day": lambda rng: rng.choice(DAYS),
    "sides": lambda rng: rng.choice([4, 6, 8, 10, 12, 20, 100]), "song": phrase_of,
    "room": lambda rng: rng.choice([*ROOMS, pseudo_word(rng)]),
}


def schema(rng, names: dict, kinds: dict, notes: dict) -> dict:
    properties = {}
    for slot, name in names.items():
        properties[name] = {"type": kinds[slot]}
        if notes.get(slot):
            properties[name]["description"] = notes[slot]
    made = {"type": "object", "properties": properties}
    if rng.random() < 0.85:
        made["required"] = list(names.values())
    if rng.random() < 0.2:
        made["additionalProperties"] = False
    if rng.random() < 0.08:
        made["$schema"] = "http://json-schema.org/draft-07/schema#"
    return made


def definition(rng, name: str, description: str, parameters: dict) -> dict:
    function = {"name": name, "description": description, "parameters": parameters}
    if not description:
        del function["description"]
    if rng.random() < 0.08:
        function["strict"] = True
    return {"type": "function", "function": function}


def decorated(rng, name: str) -> str:
    """Now and then a name nobody expects, so that names are read and not guessed."""
    if rng.random() < 0.8:
        return name
    return rng.choice([f"{name}_{pseudo_word(rng, 2, 5)}", f"{pseudo_word(rng, 2, 5)}_{name}", f"{name}{rng.randint(1, 9)}", f"my_{name}", f"{name}_v{rng.randint(1, 9)}"])


def everyday_tool(rng):
    """(definition, question pattern with named slots, slot values, slot -> parameter name)"""
    names, descriptions, slots, questions = rng.choice(TOOLS) if rng.random() < 0.6 else rng.choice(TOOLS[:6])
    taken = {slot: rng.choice(spec[0].split("|")) for slot, spec in slots.items()}
    kinds = {slot: rng.choice(spec[1].split("|")) for slot, spec in slots.items()}
    with_notes = rng.random() < 0.5
    notes = {slot: expand(rng, "[" + spec[2] + "]") if with_notes else "" for slot, spec in slots.items()}
    values = {slot: SLOT_VALUES[slot](rng) if slot in SLOT_VALUES else None for slot in slots}
    if "from" in slots:
        values["from"], values["to"] = rng.sample(CURRENCIES, 2)
    description = "" if rng.random() < 0.07 else expand(rng, "[" + descriptions + "]")
    tool = definition(rng, decorated(rng, rng.choice(names.split("|"))), description, schema(rng, taken, kinds, notes))
    return tool, rng.choice(questions), values, taken


INVENTED_VERBS = ["get", "find", "fetch", "lookup", "check", "read", "show", "query"]
INVENTED_ACTIONS = ["open", "close", "start", "stop", "delete", "create", "book", "order", "buy", "lock", "clean", "move", "print", "call"]


def invented_tool(rng):
    noun = rng.choice(THINGS) if rng.random() < 0.3 else pseudo_word(rng, 3, 8)
    owner = rng.choice(["city", "user", "name", "book", "id", "team", "animal", "country", "word"]) if rng.random() < 0.5 else pseudo_word(rng, 3, 8)
    joined = rng.choice(["{0}_{1}", "{0}_{1}", "{0}{2}", "{1}_{0}", "{1}"])
    number = rng.random() < 0.3
    value = rng.randint(1, 9999) if number else rng.choice([pseudo_word(rng), pseudo_word(rng).capitalize(), city(rng), full_name(rng), any_word(rng)])
    kind = {owner: rng.choice(["integer", "number"]) if number else "string"}
    note = {owner: rng.choice([f"The {owner}", f"Which {owner}", f"The {owner} to look up"]) if rng.random() < 0.4 else ""}
    if rng.random() < 0.6:
        name = joined.format(rng.choice(INVENTED_VERBS), noun, noun.capitalize())
        description = expand(rng, f"[Get|Find|Returns|Look up|Fetch] the {noun} [of|for] [a|the] {owner}[.|]")
        question = rng.choice([f"What is the {noun} of {{v}}?", f"[Get|Find|Show me|Tell me|Look up|Check] the {noun} [of|for] {{v}}[.|]", f"[What's|What is] the {noun} for {owner} {{v}}[?|]", f"{noun} of {{v}}[?|]"])
    else:
        verb = rng.choice(INVENTED_ACTIONS)
        name = joined.format(verb, noun, noun.capitalize())
        description = expand(rng, f"[{verb.capitalize()}|{verb.capitalize()}s] a {noun}[ by {owner}|][.|]")
        question = rng.choice([f"{verb.capitalize()} [the|a] {noun} {{v}}[.|]", f"[Please|Can you] {verb} the {noun} [with {owner}|of|for] {{v}}[.|]", f"{verb.capitalize()} {noun} {{v}}[.|]"])
    values, names = {"v": value}, {"v": owner}
    extra, extra_kind, extra_note = {}, {}, {}
    if rng.random() < 0.2:
        # An optional parameter nobody asked for stays out of the call.
        optional = rng.choice(["limit", "lang", "unit", "verbose", pseudo_word(rng, 3, 6)])
        if optional != owner:
            extra, extra_kind, extra_note = {optional: optional}, {optional: rng.choice(["string", "integer", "boolean"])}, {optional: "Optional"}
    parameters = schema(rng, {owner: owner, **extra}, {**kind, **extra_kind}, {**note, **extra_note})
    if "required" in parameters:
        parameters["required"] = [owner]
    return definition(rng, name, description, parameters), question, values, names


def any_tool(rng):
    return everyday_tool(rng) if rng.random() < 0.75 else invented_tool(rng)


def offered(rng, wanted=None, count: int | None = None) -> list:
    """The wanted definition among up to three others with different names."""
    others = count if count is not None else rng.choice([0, 0, 0, 0, 1, 1, 2, 3])
    tools = [wanted] if wanted else []
    while len(tools) < others + bool(wanted):
        tool = any_tool(rng)[0]
        if all(tool["function"]["name"] != t["function"]["name"] and similar(tool) != similar(t) for t in tools):
            tools.append(tool)
    rng.shuffle(tools)
    return tools


def similar(tool: dict) -> frozenset:
    """Everyday tools of one kind under two names would make the right choice ambiguous."""
    for names, *_ in TOOLS:
        if any(re.search(rf"(^|_){name}(_|\d|$)", tool["function"]["name"]) for name in names.split("|")):
            return frozenset(names.split("|"))
    return frozenset([tool["function"]["name"]])


def call_of(name: str, arguments: dict) -> dict:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def result_of(rng) -> tuple[str, str]:
    """(what the tool returned, how the answer says it)"""
    roll = rng.random()
    if roll < 0.35:
        text = rng.choice([
            lambda: f"{rng.randint(-20, 40)} degrees and {rng.choice(['sunny', 'cloudy', 'rainy', 'windy', 'snowy', 'clear', pseudo_word(rng)])}",
            lambda: f"{rng.randint(-20, 40)}°C, {rng.choice(['sun', 'rain', 'clouds', 'snow', 'fog'])}",
            lambda: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
            lambda: " ".join(any_word(rng) for _ in range(rng.randint(1, 5))),
            lambda: pseudo_word(rng).capitalize() + " " + pseudo_word(rng),
        ])()
        return text, text
    if roll < 0.5:
        number = str(rng.choice([rng.randint(-99, 200), rng.randint(0, 99999), rng.randint(1, 9999) / 100]))
        return number, number
    fields = {}
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(["result", "temperature", "unit", "condition", "time", "price", "city", "status", "name", "error", "value", "ok"]) if rng.random() < 0.7 else pseudo_word(rng, 3, 8)
        fields[key] = rng.choice([rng.randint(-20, 999), pseudo_word(rng), any_word(rng), city(rng), f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"])
    compact = rng.random() < 0.6
    raw = json.dumps(fields, separators=(",", ":") if compact else None, ensure_ascii=False)
    return raw, ", ".join(f"{key} {value}" for key, value in fields.items())


def draw_use(rng):
    tool, pattern, values, names = any_tool(rng)
    return tool, expand(rng, pattern).format(**values), values, names


def arguments_of(tool: dict, values: dict, names: dict) -> dict:
    """What the question gives, under the tool's own names, in the order of its definition."""
    by_name = {names[slot]: value for slot, value in values.items()}
    return {n: by_name[n] for n in tool["function"]["parameters"]["properties"] if n in by_name}


def tool_call(rng, split: str) -> Exchange:
    if split == "train" and rng.random() < 0.25:
        return tool_session(rng)
    tool, question, values, names = draw(rng, split, draw_use, lambda u: u[1])
    name, arguments = tool["function"]["name"], arguments_of(tool, values, names)
    question = casual(rng, question, keep_case=True)
    tools = offered(rng, tool)
    user = {"role": "user", "content": question}
    cities = [slot for slot in values if slot == "city"]
    if cities and rng.random() < 0.12 and question.count(values["city"]) == 1:
        # Two places in one question are two calls.
        second = city(rng)
        if second != values["city"]:
            user["content"] = question.replace(values["city"], f"{values['city']} and {second}")
            calls = [call_of(name, arguments), call_of(name, {names["city"]: second})]
            reply = {"role": "assistant", "content": "", "tool_calls": calls}
            return Exchange("tool call", [user, reply], {"kind": "calls", "value": [c["function"] for c in calls]}, tools)
    reply = {"role": "assistant", "content": "", "tool_calls": [call_of(name, arguments)]}
    return Exchange("tool call", [user, reply], {"kind": "calls", "value": [{"name": name, "arguments": arguments}]}, tools)


def tool_session(rng) -> Exchange:
    """Two tools, and a question to each, one after another: more calls to learn from one long prompt."""
    uses = []
    while len(uses) < 2:
        use = draw(rng, "train", draw_use, lambda u: u[1])
        if all(similar(use[0]) != similar(other[0]) for other in uses):
            uses.append(use)
    messages = []
    for tool, question, values, names in uses:
        call = call_of(tool["function"]["name"], arguments_of(tool, values, names))
        messages.append({"role": "user", "content": casual(rng, question, keep_case=True)})
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        if tool is not uses[-1][0] or rng.random() < 0.3:
            messages += results(rng, [call])
    tools = [use[0] for use in uses]
    rng.shuffle(tools)
    return Exchange("tool call", messages, {}, tools)


def tool_answer(rng, split: str) -> Exchange:
    """The whole loop: question, call, result, answer from the result."""
    made = tool_call(rng, split)
    if made.messages[-1].get("tool_calls"):
        made.messages += results(rng, made.messages[-1]["tool_calls"])
    return Exchange("tool answer", made.messages, {"kind": "text", "value": made.messages[-1]["content"]}, made.tools)


def results(rng, calls: list) -> list:
    """What the called tools return, and the answer that says it; gives the calls their ids."""
    messages, said = [], []
    for number, call in enumerate(calls):
        raw, spoken = result_of(rng)
        said.append(spoken)
        call["id"] = f"call_{number}"
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": raw})
    return [*messages, {"role": "assistant", "content": f"The tool says: {'; '.join(said)}."}]
