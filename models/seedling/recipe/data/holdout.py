"""Splits what can be asked into a training part and a held-out part, by hash.

The split is a property of the question itself (its words, numbers or names), not of a random seed: whatever seed
draws it, a held-out question never enters training.
"""

import hashlib

HELD_ONE_IN = 12


def is_held_out(key: str) -> bool:
    """True for about one in twelve keys; case and outer spaces do not matter."""
    digest = hashlib.sha256(key.strip().lower().encode()).digest()
    return digest[0] % HELD_ONE_IN == 0


def draw(rng, split: str, make, key):
    """Calls make(rng) until key(result) falls into split ('train' or 'held')."""
    while True:
        made = make(rng)
        if is_held_out(key(made)) == (split == "held"):
            return made
