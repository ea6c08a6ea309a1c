"""Spelling a word letter by letter, and writing it backwards."""

from data.exchange import Exchange, ask
from data.holdout import draw
from data.phrase import casual, expand
from data.words import TOKEN_WORDS, any_word, city, first_name, pseudo_word

SPELL = [
    "Spell [the word|] {w}[.|]",
    "Spell {w}",
    "[How do you|How do I|How would you] spell {w}?",
    "[Can|Could] you spell [the word|] {w}[ for me|]?",
    "[Please|] spell [out|] the word {w}[.|]",
    "Spell {w} [letter by letter|out][.|]",
    "[What are|Give me|List] the letters of {w}[?|]",
    "How is {w} spelled?",
    "[How do you|] spell \"{w}\"[?|]",
]
REVERSE = [
    "Reverse [the word|] {w}[.|]",
    "Reverse {w}",
    "[Write|Say|Spell] [the word|] {w} backwards[.|]",
    "[What is|What's] {w} [backwards|in reverse|reversed][?|]",
    "[Can|Could] you [reverse|turn around] [the word|] {w}[ for me|]?",
    "[Please|] reverse the word {w}[.|]",
    "{w} backwards[?|]",
    "Reverse the letters of {w}[.|]",
    "Reverse [the word|] \"{w}\"[.|]",
]


def draw_word(rng, split: str) -> str:
    if split == "train" and TOKEN_WORDS and rng.random() < 0.12:
        return rng.choice(TOKEN_WORDS)

    def make(rng):
        roll = rng.random()
        if roll < 0.2:
            return pseudo_word(rng, 2, 5)
        word = any_word(rng) if roll < 0.92 else rng.choice([first_name, city])(rng)
        return word.replace(" ", "")

    while True:
        word = draw(rng, split, make, lambda w: w)
        if split == "train" or word.lower() not in TOKEN_WORDS:
            return word


def spell(rng, split: str) -> Exchange:
    word = draw_word(rng, split)
    question = casual(rng, expand(rng, rng.choice(SPELL)).format(w=word), keep_case=True)
    return ask("spell", question, "-".join(word))


def reverse(rng, split: str) -> Exchange:
    if split == "train" and rng.random() < 0.3:
        return reverse_several(rng)
    word = draw_word(rng, split)
    question = casual(rng, expand(rng, rng.choice(REVERSE)).format(w=word), keep_case=True)
    return ask("reverse", question, word[::-1])


def reverse_several(rng) -> Exchange:
    """A list of words, each turned around: more letters to learn from one prompt."""
    words = [draw_word(rng, "train") for _ in range(rng.randint(2, 5))]
    question = expand(rng, "[Reverse|Reverse the words|Reverse each word:] {w}[.|]").format(w=", ".join(words))
    return ask("reverse", question, ", ".join(word[::-1] for word in words))
