"""Writes weights, vocabulary, chat template and labels into one GGUF file."""

from pathlib import Path

import gguf
import numpy as np

from chat import TEMPLATE_FILE
from model import Shape
from tokenizer import CONTROL, END_OF_TEXT, IM_END, MERGES, VISIBLE, token_list

DESCRIPTION = (
    "A toy for demonstrations and tests of swarmd, not a real model: it holds a small conversation, adds and subtracts, "
    "names capitals, spells and reverses words, extracts JSON and calls tools. Do not rely on its answers."
)
LIMIT = 8_000_000


def write(path: Path, weights: dict, shape: Shape, tokenizer) -> int:
    """Writes the file and returns its size in bytes, which must stay within 8 MB."""
    out = gguf.GGUFWriter(path, "llama")
    out.add_type(gguf.GGUFType.MODEL)
    out.add_name("Seedling")
    out.add_basename("seedling")
    out.add_size_label("4M")
    out.add_finetune("toy")
    out.add_description(DESCRIPTION)
    out.add_license("apache-2.0")
    out.add_tags(["toy", "demo", "test"])
    out.add_languages(["en"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)

    out.add_vocab_size(shape.vocab)
    out.add_context_length(shape.context)
    out.add_embedding_length(shape.width)
    out.add_block_count(shape.layers)
    out.add_feed_forward_length(shape.hidden)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.kv_heads)
    out.add_rope_dimension_count(shape.head_width)
    out.add_rope_freq_base(shape.rope_base)
    out.add_layer_norm_rms_eps(shape.norm_eps)

    tokens = token_list(tokenizer)
    kinds = {**dict.fromkeys(CONTROL, gguf.TokenType.CONTROL), **dict.fromkeys(VISIBLE, gguf.TokenType.USER_DEFINED)}
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("llama-bpe")
    out.add_token_list(tokens)
    out.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    out.add_token_merges([" ".join(pair) for pair in MERGES])
    out.add_eos_token_id(tokens.index(IM_END))
    out.add_pad_token_id(tokens.index(END_OF_TEXT))
    out.add_add_bos_token(False)
    out.add_chat_template(TEMPLATE_FILE.read_text())

    for name, tensor in weights.items():
        # Matrices in 16 bits, norms in 32 as llama.cpp wants them. The output matrix is the embedding, hence absent.
        kind = np.float16 if tensor.dim() == 2 else np.float32
        out.add_tensor(name, tensor.detach().float().numpy().astype(kind))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    size = path.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{path} has {size} bytes, more than {LIMIT}")
    return size
