"""An endless, seeded stream of training batches, made on the fly: no example is ever seen twice.

Conversations of similar length share a batch, one per row and never packed, so that a row starts at position 0 as a
real request does and never looks into another conversation.
"""

import math
import random

import numpy as np

from chat import render_conversation
from data.mix import conversation, long_conversation
from tokenizer import IM_END, IM_START

# Few fixed lengths: every shape costs a compilation.
LENGTHS = (32, 44, 60, 80, 108, 144, 192, 256, 336, 448)
# No longer than this at first: what short rows teach makes long ones easier, and they cost less.
SHORT = 144
# Now and then late in training, one row of its own.
LONG = 2048
POOL = 4096


class Batches:
    """Iterates over steps: each a list of two batches of different lengths, so that no step sees one task alone.

    longest: rows that are longer are left out. phase: which shares the families have. Iterate anew after
    a change; numbers go on.
    """

    def __init__(self, tokenizer, seed: int, tokens_per_step: int, context: int, longest: int, phase: int):
        self.tokenizer, self.seed, self.size, self.context = tokenizer, seed, tokens_per_step // 2, context
        self.longest, self.phase, self.number = longest, phase, 0
        self.start, self.end = tokenizer.token_to_id(IM_START), tokenizer.token_to_id(IM_END)
        self.assistant = tokenizer.encode("assistant\n").ids

    def example(self, rng):
        """(ids, learn): learn marks the tokens of answers, from the first one to <|im_end|>."""
        return self.rendered(conversation(rng, "train", self.phase))

    def rendered(self, made: dict):
        ids = self.tokenizer.encode(render_conversation(made)).ids
        learn = np.zeros(len(ids), dtype=bool)
        head = [self.start, *self.assistant]
        answers, at = iter(made["learnt"]), 0
        while at < len(ids):
            if ids[at : at + len(head)] != head:
                at += 1
                continue
            begin = at + len(head)
            if made["bare"] and not any(True for i in range(begin, len(ids)) if ids[i] == self.start):
                # The empty thought belongs to the prompt.
                begin = ids.index(self.tokenizer.token_to_id("</think>"), begin) + 3
            stop = ids.index(self.end, begin) + 1
            learn[begin:stop] = next(answers)
            at = stop
        return ids, learn

    def positions(self, rng, ids, length: int):
        """0, 1, 2, ... with, in some rows, a jump in front of a turn: far distances without the cost of far tokens."""
        row = np.arange(length)
        turns = [i for i, token in enumerate(ids) if token == self.start and i > 0]
        if turns and rng.random() < 0.15:
            jump = int(math.exp(rng.uniform(math.log(16), math.log(self.context - length))))
            row[rng.choice(turns) :] += jump
        return row

    def pool(self, number: int):
        """The batches of one pool of conversations, in random order."""
        rng = random.Random(f"{self.seed}/{number}")
        by_length = {length: [] for length in LENGTHS}
        for _ in range(POOL):
            ids, learn = self.example(rng)
            fitting = next((length for length in LENGTHS if len(ids) <= length + 1), None)
            if fitting and fitting <= self.longest:
                by_length[fitting].append((ids, learn))
        batches = []
        for length, rows in by_length.items():
            rng.shuffle(rows)
            count = max(1, self.size // length)
            # An incomplete batch is filled up with rows of the same pool, to keep the shapes fixed.
            for at in range(0, len(rows), count):
                chosen = rows[at : at + count]
                chosen += rng.choices(rows, k=count - len(chosen))
                batches.append(self.arrays(rng, chosen, length))
        rng.shuffle(batches)
        return batches

    def arrays(self, rng, rows, length: int):
        """(input ids, positions, learn mask, targets), each (rows, length)."""
        ids = np.full((len(rows), length + 1), self.end, dtype=np.int64)
        learn = np.zeros((len(rows), length + 1), dtype=bool)
        positions = np.empty((len(rows), length), dtype=np.int64)
        for i, (row, mask) in enumerate(rows):
            ids[i, : len(row)], learn[i, : len(row)] = row, mask
            positions[i] = self.positions(rng, row, length)
        return ids[:, :-1], positions, learn[:, 1:], ids[:, 1:]

    def long(self, step: int):
        """One long row, as a batch of its own."""
        rng = random.Random(f"{self.seed}/long/{step}")
        while True:
            ids, learn = self.rendered(long_conversation(rng))
            if LENGTHS[-1] < len(ids) <= LONG + 1:
                return self.arrays(rng, [(ids, learn)], LONG)

    def __iter__(self):
        while True:
            batches = self.pool(self.number)
            self.number += 1
            yield from zip(batches[::2], batches[1::2])
