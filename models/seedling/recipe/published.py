"""Reads vocabulary and weights back from a GGUF file of this recipe, to train it further."""

from pathlib import Path

import gguf
import torch


def read(path: Path) -> tuple[list[str], dict]:
    """(tokens in the order of their ids, weights by name)"""
    reader = gguf.GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    weights = {t.name: torch.tensor(t.data).float().reshape(tuple(reversed(t.shape.tolist()))) for t in reader.tensors}
    return tokens, weights
