"""Writes the held-out prompts for eval/evaluate.mjs, one JSON object per line: 300 for each seed."""

import json
import random
from pathlib import Path

from data.mix import conversation

# How many prompts of each family and seed; together 300.
COUNTS = {
    "about itself": 30, "about swarmd": 36, "arithmetic": 50, "capitals": 36, "spell": 24, "reverse": 30,
    "extraction": 36, "tool call": 24, "tool answer": 12, "out of scope": 16, "counting": 6,
}


def write_prompts(path: Path, seeds: list[int]) -> int:
    """Each line: {family, messages, tools?, check}. Conversations, system prompts and unfitting tools included."""
    lines = [line for seed in seeds for line in draw(seed)]
    lines.sort(key=lambda line: list(COUNTS).index(line["family"]))
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return len(lines)


def draw(seed: int) -> list[dict]:
    rng = random.Random(f"held-out/{seed}")
    missing, lines, seen = dict(COUNTS), [], set()
    while any(missing.values()):
        made = conversation(rng, "held")
        family = made["last"].family
        question = next(m["content"] for m in reversed(made["messages"]) if m["role"] == "user")
        if not missing.get(family) or (family, question.lower()) in seen:
            continue
        missing[family] -= 1
        seen.add((family, question.lower()))
        line = {"family": family, "messages": made["messages"][:-1], "check": made["last"].check}
        if made["tools"]:
            line["tools"] = made["tools"]
        lines.append(line)
    return lines
