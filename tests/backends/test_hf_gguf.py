"""A GGUF file through transformers: the same model, its embeddings one again where the file holds them twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.tiny_hf import make_tiny
from practicum.backends.base import Request
from practicum.backends.hf import HfBackend
from practicum.backends.hf_load import load
from practicum.core import Form, Message, Sampling

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")

NAMES = {
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "model.layers.": "blk.", "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def write_gguf(folder: Path, to: Path, *, tied: bool) -> Path:
    """Write a tiny model as llama.cpp's files are; tied: with an output that is its input embedding, rounded otherwise."""
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config, writer = model.config, gguf.GGUFWriter(to, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    import json

    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    weights: dict[str, Any] = dict(model.state_dict())
    if tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].to(torch.bfloat16).float()
    for name, tensor in weights.items():
        for old, new in NAMES.items():
            name = name.replace(old, new)  # noqa: PLW2901
        writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("gguf") / "tiny")


async def test_a_gguf_file_says_what_its_folder_says(tiny: Path, tmp_path: Path) -> None:
    path = write_gguf(tiny, tmp_path / "tiny.gguf", tied=False)
    messages = [Message("system", "你是咨询师。"), Message("user", "I cannot sleep")]
    request = Request(thread="", form=Form.CHAT, messages=messages, sampling=Sampling(temperature=0.0, max_tokens=20), seed=0)
    replies = []
    for source in (tiny, path):
        backend = HfBackend(str(source), name="hf:tiny", device="cpu")
        replies.append(await backend.reply(request))
        await backend.aclose()
    assert replies[0].text == replies[1].text
    assert replies[0].call.prompt_tokens == replies[1].call.prompt_tokens


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_that_were_one_are_one_again(tiny: Path, tmp_path: Path, tied: bool) -> None:
    path = write_gguf(tiny, tmp_path / "tiny.gguf", tied=tied)
    weights = load(str(path), name="hf:tiny", dtype="auto", device="auto", trust_remote_code=False)
    model = weights.model
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) is tied
    assert weights.ends == {2}
