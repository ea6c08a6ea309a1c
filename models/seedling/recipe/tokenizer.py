"""The vocabulary: 256 bytes, a few special tokens, and whole frequent words; nothing in between.

llama.cpp's `llama-bpe` pre-tokenizer looks a whole piece up in the vocabulary before it applies any merge. With no
merges to apply, a piece is either one token (a word every prompt is made of) or its single bytes. So names, numbers
and words to spell reach the model letter by letter, which makes copying, spelling and reversing easy to learn, while
ordinary sentences stay short.
"""

import json
import random
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from chat import render_conversation
from data.capitals import CAPITALS
from data.mix import conversation
from data.words import TOKEN_WORDS, content_words

END_OF_TEXT, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTROL = [END_OF_TEXT, IM_START, IM_END]
# Shown as text, because programs look for them in the answer.
VISIBLE = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
SPECIAL = CONTROL + VISIBLE
VOCABULARY_SIZE = 1024

# llama.cpp's expression for the `llama-bpe` pre-tokenizer (src/llama-vocab.cpp).
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
# One merge that never applies to text a person types: readers of GGUF files expect the list not to be empty.
MERGES = [("\u0100", "\u0100")]


def splitter():
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def choose_words(seed: int, count: int, sample: int = 30000) -> list[str]:
    """The most frequent pieces of sample conversations, leaving out everything that is copied or looked up."""
    rng = random.Random(seed)
    left_out = content_words() | {w.lower() for pair in CAPITALS.items() for name in pair for w in name.split()}
    left_out.remove("city")
    split, frequencies = splitter(), Counter()
    for _ in range(sample):
        text = render_conversation(conversation(rng, "train"))
        for special in SPECIAL:
            text = text.replace(special, "\n")
        frequencies.update(piece for piece, _ in split.pre_tokenize_str(text))
    wanted = []
    for piece, times in frequencies.most_common():
        bare = piece.replace("\u0120", " ").strip().lower()
        letters = "".join(c for c in bare if c.isalpha())
        # Line breaks are left out too: whether one sticks to a bracket depends on where a caller cuts the text.
        if len(piece) < 2 or "\u010a" in piece or any(c.isdigit() for c in piece) or letters in left_out or "City" in piece:
            continue
        if times < 12 or (len(letters) < 2 and bare != letters and letters):
            continue
        wanted.append(piece)
    return wanted[:count]


def build(seed: int) -> Tokenizer:
    byte_tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = "".join(MERGES[0])
    words = choose_words(seed, VOCABULARY_SIZE - len(SPECIAL) - len(byte_tokens) - 1)
    return with_tokens(SPECIAL + byte_tokens + [merged] + words)


def with_tokens(tokens: list[str]) -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES, ignore_merges=True))
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.pre_tokenizer = splitter()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def load_or_build(path: Path, seed: int, tokens: list[str] | None = None) -> Tokenizer:
    """The vocabulary at path; if there is none yet, the given tokens or a newly chosen vocabulary are saved there."""
    if not path.exists():
        (with_tokens(tokens) if tokens else build(seed)).save(str(path))
    tokenizer = Tokenizer.from_file(str(path))
    words = [t[1:] for t in tokenizer.get_vocab() if t.startswith("\u0120") and t[1:].isascii() and t[1:].isalpha()]
    # Whole-word tokens have to be spelled from memory: the tasks practise them.
    TOKEN_WORDS[:] = sorted({w for w in words if len(w) > 2})
    return tokenizer


def token_list(tokenizer: Tokenizer) -> list[str]:
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return sorted(vocabulary, key=vocabulary.get)
