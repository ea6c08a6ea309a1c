"""One command from nothing to the model: python3 models/seedling/recipe/make.py

Builds the vocabulary, trains, writes seedling.gguf and the held-out prompts. Everything is drawn from one seed. Stop it
and run it again: it continues from its last checkpoint.
"""

import argparse
from pathlib import Path

from export import write
from model import Shape
from prompts import write_prompts
from published import read
from tokenizer import load_or_build
from train import train

HOME = Path(__file__).resolve().parent.parent


def options():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--seed", type=int, default=1, help="seed of vocabulary, weights and training data")
    parse.add_argument("--prompt-seed", type=int, nargs="+", default=[4711, 1, 2, 3], help="seeds of the held-out prompts, 300 each")
    parse.add_argument("--steps", type=int, default=11400, help="training steps in all")
    parse.add_argument("--decay-from", type=float, default=0.35, help="share of the steps after which the rate falls")
    parse.add_argument("--batch-tokens", type=int, default=3072)
    parse.add_argument("--threads", type=int, default=2)
    parse.add_argument("--no-compile", action="store_true", help="do not compile the network (a third slower, needs no C++ compiler)")
    parse.add_argument("--work", type=Path, default=HOME / ".work", help="checkpoint and tokenizer, outside git")
    parse.add_argument("--out", type=Path, default=HOME / "seedling.gguf")
    parse.add_argument("--start-from", type=Path, help="train this file of the recipe further, instead of random weights")
    parse.add_argument("--only", choices=["export", "prompts"], help="write one thing from the last checkpoint and stop")
    return parse.parse_args()


def main():
    o = options()
    o.work.mkdir(parents=True, exist_ok=True)
    tokens, start = read(o.start_from) if o.start_from else (None, None)
    tokenizer = load_or_build(o.work / "tokenizer.json", o.seed, tokens)
    if o.only != "export":
        print(write_prompts(HOME / "eval" / "prompts.jsonl", o.prompt_seed), "held-out prompts")
    if o.only == "prompts":
        return
    steps = 0 if o.only == "export" else o.steps
    weights = train(o.work, tokenizer, o.seed, steps, o.decay_from, o.batch_tokens, o.threads, not o.no_compile, start)
    print(o.out, write(o.out, weights, Shape(vocab=tokenizer.get_vocab_size()), tokenizer), "bytes")


if __name__ == "__main__":
    main()
