"""`practicum train` and `models convert` on a model that is made on the spot; the whole circle is in tests/test_circle.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from practicum.backends import read_gguf
from tests.cli.conftest import Practicum
from tests.training.tiny_models import tiny_adapter, tiny_model, write_gguf

pytest.importorskip("torch")
pytest.importorskip("peft")

ROWS = [
    {"messages": [{"role": "user", "content": "我睡不着。"}, {"role": "assistant", "content": "有多久了？"}]},
    {"messages": [{"role": "user", "content": "I cannot sleep."}, {"role": "assistant", "content": "Since when?"}]},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "messages-train.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS), "utf-8")
    (folder / "dataset_info.json").write_text('{"practicum": {}}')
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    model, tokenizer = tiny_model("qwen2")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_gguf(model, tokenizer, folder / "base.gguf")
    tiny_adapter(model, folder / "adapter")
    return folder


def test_the_mask_of_a_session_is_shown(practicum: Practicum, data: Path, base: Path) -> None:
    result = practicum("train", "--data", str(data), "--base", str(base), "--out", "out", "--show-mask", "2")
    assert result.status == 0
    assert "有多久了？<|im_end|>" in result.out
    assert "Since when?<|im_end|>" in result.out
    assert not Path("out").exists()


def test_presets_are_listed_and_an_unknown_one_is_refused(practicum: Practicum) -> None:
    listed = practicum("train", "--preset", "list").out
    assert [line.split()[0] for line in listed.splitlines()] == ["cpu-0.5b", "lora-24gb", "lora-80gb", "paper", "qlora-24gb"]
    refused = practicum("train", "--preset", "gpu")
    assert refused.status == 2
    assert "--preset 'gpu': expected one of cpu-0.5b, lora-24gb" in refused.err


def test_what_is_missing_is_named(practicum: Practicum, data: Path) -> None:
    result = practicum("train", "--data", str(data), "--base", "x")
    assert result.status == 2
    assert "out is missing" in result.err


def test_a_configuration_for_llama_factory_is_written(practicum: Practicum, data: Path) -> None:
    result = practicum("train", "--data", str(data), "--base", "Qwen/Qwen2-7B-Instruct", "--out", "lf", "--export", "llamafactory")
    assert result.out.strip() == "llamafactory-cli train lf/llamafactory.yaml"
    assert 'template: "qwen"' in Path("lf/llamafactory.yaml").read_text("utf-8")


def test_a_folder_with_another_training_is_refused(practicum: Practicum, data: Path, base: Path) -> None:
    small = ("--set", "steps=1", "--set", "lora.rank=2", "--set", "batch=2", "--set", "accumulate=1")
    begun = practicum("train", "--data", str(data), "--base", str(base), "--out", "out", *small)
    assert begun.status == 0, begun.err
    assert "there is no messages-dev.jsonl" in begun.out
    other = practicum("train", "--data", str(data), "--base", str(base), "--out", "out", *small, "--seed", "1")
    assert other.status == 2
    assert "another seed" in other.err


def test_an_adapter_is_converted_in_three_ways(practicum: Practicum, base: Path) -> None:
    adapter, gguf = base / "adapter", base / "base.gguf"
    for form, out in (("lora", "lora.gguf"), ("gguf", "merged.gguf")):
        assert practicum("models", "convert", str(adapter), "--base", str(gguf), "--as", form, "--out", out).status == 0
        assert read_gguf(Path(out)).architecture == "qwen2"
    assert practicum("models", "convert", str(adapter), "--base", str(base), "--as", "folder", "--out", "merged").status == 0
    assert Path("merged/model.safetensors").exists()
    again = practicum("models", "convert", str(adapter), "--base", str(gguf), "--out", "lora.gguf")
    assert again.status == 2
    assert "is there already" in again.err
    wrong = practicum("models", "convert", str(adapter), "--base", str(base), "--out", "other.gguf")
    assert wrong.status == 2
    assert "needs the base as a GGUF file" in wrong.err
