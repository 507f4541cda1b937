"""Tiny random models of transformers, and the same as GGUF files for llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from practicum.training.quiet import quiet
from tests.training.toys import TEMPLATES, toy_tokenizer

HIDDEN, HEADS, KV_HEADS, LAYERS, INNER = 64, 4, 2, 2, 96


def tiny_model(architecture: str, *, seed: int = 0) -> tuple[Any, Any]:
    """Return a random model of two layers and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    tokenizer = toy_tokenizer("qwen2")
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "initializer_range": 0.3,  # strong enough for wrong rows to show
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(Qwen2Config(**sizes)) if architecture == "qwen2" else LlamaForCausalLM(LlamaConfig(**sizes))
    return model.eval(), tokenizer


def write_gguf(model: Any, tokenizer: Any, path: Path) -> Path:
    """Write a tiny model as a GGUF file, as llama.cpp's converter does."""
    import numpy as np
    from gguf import MODEL_ARCH, GGUFWriter, TokenType, get_tensor_name_map

    config = model.config
    architecture = config.model_type
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = set(tokenizer.all_special_ids) | {index for token, index in vocabulary if token.startswith("<|")}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([TokenType.CONTROL if index in special else TokenType.NORMAL for _, index in vocabulary])
    import json

    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATES["qwen2"])
    names = get_tensor_name_map(MODEL_ARCH.QWEN2 if architecture == "qwen2" else MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        data = tensor.float().numpy()
        if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = HEADS if "q_proj" in name else KV_HEADS
            data = data.reshape(heads, 2, data.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(data.shape)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tiny_adapter(model: Any, folder: Path, *, seed: int = 1, **options: Any) -> Any:
    """Put a random adapter on a model and save it; return the model that has it."""
    import torch
    from peft import LoraConfig, get_peft_model

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    with quiet():  # peft asks transformers by a name that is going away
        tuned = get_peft_model(model, LoraConfig(**({"r": 4, "lora_alpha": 8, "target_modules": targets} | options)))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    tuned.save_pretrained(folder)
    return tuned.eval()
