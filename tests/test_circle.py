"""The whole circle on a model that is made on the spot: sessions, a data set, an adapter, two bots from one process, an arena."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.fakeserver import FakeServer
from practicum.cli import app
from practicum.store import Store
from tests.training.tiny_models import tiny_model, write_gguf

pytest.importorskip("torch")
pytest.importorskip("trl")

BOT = """\
name = "base"
languages = ["zh"]
model = {{ name = "local:{base}" }}
decoding = {{ temperature = 1.0, max_tokens = 12 }}
"""
CLIENT = (
    "我最近总是睡不好，工作也提不起劲。\n夜里三点就醒，脑子停不下来。\n我怕再这样下去会被辞退。\n谢谢你，听你这么一问我好些了，再见。\n"
)
COUNSELOR = "这样有多久了？\n醒来的时候，脑子里最先出现的是什么？\n如果真被辞退，最让你担心的是哪一件事？\n今天就到这里，再见。\n"


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_sessions_become_a_counselor_that_meets_its_base_in_an_arena(
    verb: Callable[..., str], tmp_path: Path, fake_server: FakeServer
) -> None:
    model, tokenizer = tiny_model("qwen2")
    base = write_gguf(model, tokenizer, tmp_path / "tiny.gguf")
    stories = [f"我叫小{name}，在一家小公司做会计，最近总是睡不好，也提不起劲来上班。" for name in "安宁平和静远明朗清欣"]
    (tmp_path / "profiles.json").write_text(json.dumps(stories, ensure_ascii=False), "utf-8")
    for name, lines in (("client", CLIENT), ("counselor", COUNSELOR)):
        (tmp_path / f"{name}.txt").write_text(lines, "utf-8")

    verb("simulate", "--profiles", "profiles.json", "--client", "script:client.txt", "--counselor", "script:counselor.txt", "--run", "made")
    examples = ["--set", "near_duplicate=1.0", "--set", "near_profile=1.0", "--set", "checks.min_exchanges=2", "--set", "split.test=0.3"]
    from practicum.dataset import example_dialogues

    curated = verb("curate", "made", str(example_dialogues()), "--out", "data", "--dev", "0.2", *examples)
    assert "written: train" in curated

    small = ["--set", "lora.rank=4", "--set", "batch=4", "--set", "accumulate=1", "--set", "rate=0.005", "--set", "evaluations=2"]
    trained = verb("train", "--data", "data", "--base", str(base), "--out", "tuned", "--set", "context=2048", "--set", "steps=8", *small)
    record = json.loads((tmp_path / "tuned" / "run.json").read_text("utf-8"))
    assert record["held_out_loss"][-1]["loss"] < record["held_out_loss"][0]["loss"]
    assert "unseen" in trained
    assert "Not for people who need help" in (tmp_path / "tuned" / "README.md").read_text("utf-8")

    (tmp_path / "base.toml").write_text(BOT.format(base=base), "utf-8")
    verb("import", "sessions", "data/messages-test.jsonl", "--run", "prefixes", "--split", "test", "--limit", "3")
    judged = verb(
        "arena", "--continue", "fixed:prefixes", "--member", "base=bot:base.toml", "--member", "tuned=bot:tuned/bot.toml",
        "--supervisor", f"openai:fake@{fake_server.url}", "--orders", "one", "--max-exchanges", "2", "--run", "circle",
    )  # fmt: skip
    with Store.open("sqlite:///practicum.db") as store:
        candidates = [record.data["text"] for _, records in store.records_of("circle", ("candidate",)) for _, record in records]
    assert len(candidates) == 3 * 2 * 2
    assert len(set(candidates)) > 6  # base and tuned do not say the same
    assert "base" in judged
    assert "tuned" in judged
