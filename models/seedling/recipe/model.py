"""The network: a plain Llama (RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied embeddings).

Every choice here has a counterpart in llama.cpp's `llama` architecture; nothing is permuted on export because the
rotary pairs are interleaved exactly as llama.cpp rotates them.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """Sizes of the network. 3.8 million parameters, so that 16-bit weights stay under 8 MB."""

    vocab: int = 1024
    width: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    hidden: int = 512
    context: int = 16384
    rope_base: float = 100000.0
    norm_eps: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotation_table(shape: Shape) -> torch.Tensor:
    """cos and sin for every position of the context: (context, head_width / 2, 2)."""
    steps = torch.arange(0, shape.head_width, 2, dtype=torch.float64) / shape.head_width
    angles = torch.arange(shape.context, dtype=torch.float64)[:, None] * shape.rope_base ** -steps
    return torch.stack([angles.cos(), angles.sin()], -1).float()


@cache
def causal(time: int) -> torch.Tensor:
    """What is added to the scores (time, time): nothing for the past, minus infinity for the future.

    A tensor made outside of the compiled network: computed inside, it takes longer than the attention itself.
    """
    return torch.full((time, time), float("-inf"), dtype=torch.bfloat16).triu(1)


def rotate(x, table):
    """Rotates neighbouring pairs of x (batch, heads, time, head_width) by the table's (batch, 1, time, pairs, 2)."""
    pairs = x.unflatten(-1, (-1, 2))
    even, odd = pairs[..., 0], pairs[..., 1]
    cos, sin = table[..., 0], table[..., 1]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.attn_norm = RMSNorm(s.width, s.norm_eps)
        self.ffn_norm = RMSNorm(s.width, s.norm_eps)
        self.attn_q = nn.Linear(s.width, s.width, bias=False)
        self.attn_k = nn.Linear(s.width, s.kv_heads * s.head_width, bias=False)
        self.attn_v = nn.Linear(s.width, s.kv_heads * s.head_width, bias=False)
        self.attn_output = nn.Linear(s.width, s.width, bias=False)
        self.ffn_gate = nn.Linear(s.width, s.hidden, bias=False)
        self.ffn_up = nn.Linear(s.width, s.hidden, bias=False)
        self.ffn_down = nn.Linear(s.hidden, s.width, bias=False)

    def forward(self, x, table, mask):
        batch, time, _ = x.shape
        h = self.attn_norm(x)
        split = lambda y: y.view(batch, time, -1, self.s.head_width).transpose(1, 2)
        q, k, v = rotate(split(self.attn_q(h)), table), rotate(split(self.attn_k(h)), table), split(self.attn_v(h))
        groups = self.s.heads // self.s.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        # Written out: for rows this short it is three times as fast on a CPU as the fused kernel.
        scores = torch.matmul(q * self.s.head_width**-0.5, k.transpose(-1, -2))
        mixed = torch.matmul((scores + mask).softmax(-1).to(v.dtype), v)
        x = x + self.attn_output(mixed.transpose(1, 2).reshape(batch, time, -1))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Seedling(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.width)
        self.blk = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
        self.output_norm = RMSNorm(shape.width, shape.norm_eps)
        self.register_buffer("table", rotation_table(shape), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # Residual outputs start small, so that the depth does not blow up the first steps.
                shrink = (2 * shape.layers) ** -0.5 if name.endswith(("attn_output.weight", "ffn_down.weight")) else 1
                nn.init.normal_(p, 0, 0.03 * shrink)

    def forward(self, ids, positions, mask):
        """The last hidden states for ids (batch, time) at positions (batch, time); mask as made by causal(time)."""
        compute = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        table = self.table[positions].unsqueeze(1).to(compute)
        x = self.token_embd(ids).to(compute)
        for block in self.blk:
            x = block(x, table, mask)
        return self.output_norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.token_embd.weight).float()
