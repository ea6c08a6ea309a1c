"""Trains the network: Muon for the matrices, Adam for the rest, and a schedule that is warm-up, plateau, decay.

The state is saved every few minutes; running the same command again continues. The weights that count are a moving
average, which makes every checkpoint usable, not just the last one.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn import functional as F

from batches import LENGTHS, SHORT, Batches
from data.words import EXTRA_TOKEN_WORDS
from model import Seedling, Shape, causal
from muon import Muon

WARM_UP = 100
MUON_RATE, ADAM_RATE = 0.006, 0.001
SHORT_STEPS, LATE_STEP = 2100, 5250
LONG_STEP, LONG_EVERY = 8500, 8
# The last steps are a second, small rise and fall of the rate, on what is hardest.
POLISH_STEPS, POLISH_RATE = 900, 0.3
AVERAGE = 0.995


def rate(step: int, steps: int, decay_from: float) -> float:
    """Share of the full learning rate at a step: up, flat, then straight down to almost nothing."""
    if step >= steps - POLISH_STEPS:
        return POLISH_RATE * max(0.01, (steps - step) / POLISH_STEPS)
    steps -= POLISH_STEPS
    begin = int(steps * decay_from)
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 1.0 if step < begin else max(0.01, (steps - step) / (steps - begin))


def stage(step: int, steps: int) -> tuple[int, int]:
    """(longest row, phase of the shares)"""
    phase = 2 if step >= steps - POLISH_STEPS else int(step >= LATE_STEP)
    return SHORT if step < SHORT_STEPS else LENGTHS[-1], phase


def optimisers(model: Seedling):
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and name != "token_embd.weight"]
    others = [p for name, p in model.named_parameters() if p.dim() != 2 or name == "token_embd.weight"]
    muon = Muon(matrices, lr=MUON_RATE)
    adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    return [(muon, MUON_RATE), (adam, ADAM_RATE)]


def learn_from(trunk, model, batches) -> float:
    """Adds the gradients of the batches of one step, every learnt token with the same weight; returns their mean loss."""
    total, loss = sum(int(learn.sum()) for _, _, learn, _ in batches), 0.0
    for batch in batches:
        ids, positions, learn, targets = (torch.from_numpy(a) for a in batch)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = trunk(ids, positions, causal(ids.shape[1]))
            logits = model.logits(hidden[learn])
        part = F.cross_entropy(logits, targets[learn], reduction="sum") / total
        part.backward()
        loss += part.item()
    return loss


def save(path: Path, **state):
    # Written beside and moved over, so that a kill in between leaves the old one.
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def train(work: Path, tokenizer, seed: int, steps: int, decay_from: float, batch_tokens: int, threads: int, compiled: bool, start=None):
    """Runs up to `steps` steps from where work/checkpoint.pt stands; returns the averaged weights.

    Without a checkpoint it begins at random weights, or at `start` (weights by name).
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    shape = Shape(vocab=tokenizer.get_vocab_size())
    model = Seedling(shape)
    if start:
        model.load_state_dict(start)
    steppers = optimisers(model)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    step, spent, checkpoint = 0, 0.0, work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for (optimiser, _), saved in zip(steppers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        average, step, spent = state["average"], state["step"], state["spent"]
    trunk = torch.compile(model, dynamic=False) if compiled else model
    if compiled:
        torch._dynamo.config.cache_size_limit = 32

    # A continued run draws new examples instead of repeating the first ones.
    batches = Batches(tokenizer, f"{seed}/{step}", batch_tokens, shape.context, *stage(step, steps))
    stream = iter(batches)
    begun, saved_at, mean = time.time(), time.time(), None
    while step < steps:
        share = rate(step, steps, decay_from)
        if stage(step, steps) != (batches.longest, batches.phase):
            batches.longest, batches.phase = stage(step, steps)
            stream = iter(batches)
        EXTRA_TOKEN_WORDS[0] = 0.25 if batches.phase == 2 else 0.0
        chosen = next(stream)
        if step >= LONG_STEP and step % LONG_EVERY == 0:
            chosen = (*chosen, batches.long(step))
        loss = learn_from(trunk, model, chosen)
        for optimiser, full in steppers:
            for group in optimiser.param_groups:
                group["lr"] = full * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        step += 1
        keep = min(AVERAGE, step / (step + 10))
        torch._foreach_lerp_(list(average.values()), [p.detach() for p in model.parameters()], 1 - keep)
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if (work / "steps").exists():
            # The end may be moved while training runs, when the machine turns out slower or faster than thought.
            steps = int((work / "steps").read_text())
        last = step >= steps
        if step % 50 == 0 or last:
            passed = spent + time.time() - begun
            line = {"step": step, "of": steps, "loss": round(mean, 4), "rate": round(share, 3), "minutes": round(passed / 60, 1)}
            print(json.dumps(line), flush=True)
        if time.time() - saved_at > 60 or last:
            save(
                checkpoint,
                model=model.state_dict(),
                optimisers=[optimiser.state_dict() for optimiser, _ in steppers],
                average=average,
                step=step,
                spent=spent + time.time() - begun,
                shape=asdict(shape),
            )
            saved_at = time.time()
    return average
