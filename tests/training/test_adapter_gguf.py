from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from practicum.errors import TrainingError
from practicum.training.adapter_gguf import merge, read_adapter, write_lora
from tests.training.tiny_models import tiny_adapter, tiny_model, write_gguf

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

PROMPT = "我最近总是睡不着，what goes through your mind?"


def served(base: Path, *, adapter: Path | None = None) -> dict[str, float]:
    """Return llama.cpp's log-probabilities of every token that may come after the prompt."""
    import xllamacpp as llama  # type: ignore[import-untyped]

    params = llama.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 256, 1, False, -1
    # 16 bits, or attention's quick way, would blur the comparison.
    params.cache_type_k = params.cache_type_v = llama.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    if adapter is not None:
        params.lora_adapters = [llama.CommonAdapterLoraInfo(str(adapter), 1.0)]
    found: list[Any] = []

    def take(chunk: Any) -> bool:
        found.append(chunk)
        return False

    body = {"prompt": PROMPT, "n_predict": 1, "temperature": 0, "n_probs": 1000, "cache_prompt": False, "stream": False}
    llama.Server(params).handle_completions(body, take)
    first: Any = found[-1]["choices"][0]["logprobs"]["content"][0]
    return {str(one["id"]): float(one["logprob"]) for one in first["top_logprobs"]}


def computed(model: Any, tokenizer: Any) -> dict[str, float]:
    """Return transformers' log-probabilities of the same."""
    ids = tokenizer(PROMPT, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, -1]
    return {str(index): float(value) for index, value in enumerate(torch.log_softmax(logits.float(), -1))}


def apart(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the largest difference over what both name, of what is likely enough to matter."""
    shared = [key for key in one if key in other and one[key] > -12]
    assert len(shared) > 20
    return max(abs(one[key] - other[key]) for key in shared)


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_base_lora_and_merged_give_the_logits_of_transformers(architecture: str, tmp_path: Path) -> None:
    model, tokenizer = tiny_model(architecture)
    base = write_gguf(model, tokenizer, tmp_path / "base.gguf")
    plain = computed(model, tokenizer)
    assert apart(plain, served(base)) < 1e-2
    tuned = tiny_adapter(model, tmp_path / "adapter")
    expected = computed(tuned, tokenizer)
    assert apart(plain, expected) > 0.5  # the adapter does something
    adapter = read_adapter(tmp_path / "adapter")
    assert apart(expected, served(base, adapter=write_lora(adapter, base, tmp_path / "lora.gguf"))) < 1e-2
    assert apart(expected, served(merge(adapter, base, tmp_path / "precise.gguf", precise=True))) < 1e-2
    rounded = merge(adapter, base, tmp_path / "merged.gguf")
    assert rounded.stat().st_size < (tmp_path / "precise.gguf").stat().st_size
    assert apart(expected, served(rounded)) < 0.5 * apart(plain, expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"use_rslora": True}, "rsLoRA"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "biases"),
        ({"peft_type": "IA3"}, "not LoRA"),
        ({"alpha_pattern": {"q_proj": 3}}, "differs from module to module"),
    ],
)
def test_what_llama_cpp_has_no_word_for_is_refused_with_its_reason(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    model, _ = tiny_model("qwen2")
    tiny_adapter(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text()) | change
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match=reason):
        read_adapter(tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    model, tokenizer = tiny_model("qwen2")
    base = write_gguf(model, tokenizer, tmp_path / "base.gguf")
    tiny_adapter(model, tmp_path / "adapter")
    adapter = read_adapter(tmp_path / "adapter")
    module, (a, b) = next(iter(adapter.pairs.items()))
    wrong = type(adapter)(pairs={module: (a[:, :10], b)}, alpha=8, rank=4)
    with pytest.raises(TrainingError, match="was it trained on another model"):
        write_lora(wrong, base, tmp_path / "lora.gguf")
    assert not [*tmp_path.glob(".*part"), *tmp_path.glob("lora.gguf")]


def test_no_adapter_and_no_base_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no PEFT adapter"):
        read_adapter(tmp_path)
