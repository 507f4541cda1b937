from __future__ import annotations

import json
from pathlib import Path

import pytest

from practicum.serve import read_bot
from practicum.training.record import find_systems, write_bot

ROW = [{"role": "user", "content": "我睡不着。"}, {"role": "assistant", "content": "多久了？"}]


def written(file: Path, *systems: str) -> Path:
    rows = [{"messages": [{"role": "system", "content": text}, *ROW] if text else ROW} for text in systems]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return file


@pytest.mark.parametrize(
    ("systems", "found"),
    [
        (["你是一位咨询师。", "你是一位咨询师。", "Be kind."], {"zh": "你是一位咨询师。"}),
        (["You are a counselor.", ""], {"en": "You are a counselor."}),
        (["", ""], {}),
    ],
)
def test_the_prompt_of_most_sessions_is_the_one_to_serve_with(systems: list[str], found: dict[str, str], tmp_path: Path) -> None:
    assert find_systems(written(tmp_path / "rows.jsonl", *systems)) == found


def test_the_bot_of_a_trained_model_is_asked_as_it_was_trained(tmp_path: Path) -> None:
    (tmp_path / "adapter.gguf").write_bytes(b"GGUF")
    lora = tmp_path / "adapter.gguf"
    bot = read_bot(write_bot(tmp_path, name="tuned", model="local:qwen2.5-coder-0.5b", lora=lora, systems={"zh": "你是一位咨询师。"}))
    assert (bot.prompt.form, bot.languages, bot.model.lora) == ("chat", ("zh",), lora)
    assert Path(bot.prompt.text).read_text("utf-8") == "你是一位咨询师。"
    bare = read_bot(write_bot(tmp_path, name="tuned", model="local:qwen2.5-coder-0.5b", lora=None, systems={}))
    assert (bare.prompt.form, bare.prompt.text, bare.model.lora, bare.languages) == ("chat", "", None, ("zh", "en"))
