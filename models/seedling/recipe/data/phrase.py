"""Turns a compact phrase pattern into one of its many wordings.

Pattern grammar: `[a|b|]` picks one alternative (possibly nothing); brackets may nest. Doubled spaces collapse.
"""

import re

INNERMOST = re.compile(r"\[([^\[\]]*)\]")


def expand(rng, pattern: str) -> str:
    while True:
        match = INNERMOST.search(pattern)
        if not match:
            return re.sub(r" {2,}", " ", pattern).strip()
        choice = rng.choice(match.group(1).split("|"))
        pattern = pattern[: match.start()] + choice + pattern[match.end() :]


def casual(rng, text: str, keep_case: bool = False) -> str:
    """Types like a person: sometimes a greeting in front, lower case, or no punctuation at the end."""
    roll = rng.random()
    if roll < 0.06:
        text = rng.choice(["Hey, ", "Hi! ", "Hello, ", "Please: ", "OK. ", "Quick question: ", "Now: ", "And "]) + text
    if not keep_case:
        roll = rng.random()
        if roll < 0.15:
            text = text.lower()
        elif roll < 0.3:
            text = text[0].lower() + text[1:]
    roll = rng.random()
    if roll < 0.2:
        text = text.rstrip("?.!")
    elif roll < 0.24:
        text = text.rstrip("?.!") + rng.choice([" please", ", please.", " ?", "??", "!", " thanks"])
    return text
