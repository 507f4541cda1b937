from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from practicum.training import cpu, trainer
from practicum.training.config import TrainConfig
from practicum.training.preferences import Pairs
from practicum.training.rows import Rows, encode_rows
from practicum.training.trainer import CHECKPOINTS, Course, fine_tune, prefer
from tests.training.tiny_models import tiny_model

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

QUESTIONS = ["我最近总是睡不着。", "I keep waking up at four.", "工作上的事停不下来。", "My boss never listens."]


def dataset(folder: Path, count: int = 24) -> tuple[Path, Path]:
    rows = [
        {"messages": [{"role": "user", "content": f"{QUESTIONS[n % 4]} {n}"}, {"role": "assistant", "content": "嗯，先想到的是什么呢？"}]}
        for n in range(count)
    ]
    train, dev = folder / "messages-train.jsonl", folder / "messages-dev.jsonl"
    train.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows[:-4]), "utf-8")
    dev.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows[-4:]), "utf-8")
    return train, dev


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    model, tokenizer = tiny_model("qwen2")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def splits(tokenizer: Any, folder: Path) -> tuple[Rows, Rows]:
    train, dev = dataset(folder)
    return encode_rows(tokenizer, train, 256), encode_rows(tokenizer, dev, 256)


def config(base: Path, out: Path, **changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "data": "unused",
            "base": str(base),
            "out": str(out),
            "batch": 4,
            "accumulate": 1,
            "rate": 5e-3,
            "epochs": 3,
            "precision": "float32",
        }
        | {"lora": {"rank": 4, "alpha": 8}}
        | changes
    )


def tokenizer_of(base: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def test_the_loss_on_unseen_profiles_falls_and_the_adapter_is_saved(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    seen: list[int] = []
    learnt = fine_tune(
        config(base, tmp_path / "out"), str(base), tokenizer, *splits(tokenizer, tmp_path), lambda course: seen.append(course.step)
    )
    course = learnt.course
    assert course.held_out[0][0] == 0
    assert course.held_out[-1][1] < 0.85 * course.held_out[0][1]
    assert course.steps == course.step == 15
    assert (learnt.folder / "adapter_model.safetensors").exists()
    assert "chat_template" in (learnt.folder / "tokenizer_config.json").read_text() or (learnt.folder / "chat_template.jinja").exists()
    assert seen[-1] == 15
    assert course.seconds_left == 0


def test_a_training_that_was_cut_goes_on_along_the_same_curve(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    rows = splits(tokenizer, tmp_path)
    whole = fine_tune(config(base, tmp_path / "whole", evaluations=5), str(base), tokenizer, *rows, lambda _: None).course

    class CutError(Exception):
        pass

    def cut(course: Course) -> None:
        if course.step == 8:
            raise CutError

    cut_config = config(base, tmp_path / "cut", evaluations=5)
    with pytest.raises(CutError):
        fine_tune(cut_config, str(base), tokenizer, *rows, cut)
    assert (tmp_path / "cut" / CHECKPOINTS / "checkpoint-6").is_dir()
    again = fine_tune(cut_config, str(base), tokenizer, *rows, lambda _: None)
    assert again.resumed_from == 6
    assert dict(again.course.losses) == pytest.approx(dict(whole.losses), rel=1e-4)
    assert dict(again.course.held_out)[15] == pytest.approx(dict(whole.held_out)[15], rel=1e-4)


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-4), ("bfloat16", 5e-3)])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_loss_of_the_cpu_is_that_of_trl(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, precision: str, near: float
) -> None:
    tokenizer = tokenizer_of(base)
    rows = splits(tokenizer, tmp_path)
    wanted = {"method": method, "precision": precision, "batch": 2, "accumulate": 2, "epochs": 1, "rate": 1e-3}
    ours = fine_tune(config(base, tmp_path / "ours", **wanted), str(base), tokenizer, *rows, lambda _: None).course
    monkeypatch.setattr(cpu, "AT_ONCE", 7)
    parts = fine_tune(config(base, tmp_path / "parts", **wanted), str(base), tokenizer, *rows, lambda _: None).course
    monkeypatch.setattr(trainer, "_trainer_for", lambda _: trl.SFTTrainer)
    theirs = fine_tune(config(base, tmp_path / "theirs", **wanted), str(base), tokenizer, *rows, lambda _: None).course
    assert len(ours.losses) == 5
    for course in (ours, parts):
        assert dict(course.losses) == pytest.approx(dict(theirs.losses), rel=near)
        assert dict(course.held_out) == pytest.approx(dict(theirs.held_out), rel=near)


def test_activations_that_are_computed_again_change_no_loss(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    rows = splits(tokenizer, tmp_path)
    kept, again = (
        fine_tune(
            config(base, tmp_path / str(way), precision="bfloat16", epochs=1, checkpointing=way),
            str(base),
            tokenizer,
            *rows,
            lambda _: None,
        ).course
        for way in (False, True)
    )
    assert dict(again.losses) == pytest.approx(dict(kept.losses), rel=1e-4)
    assert dict(again.held_out) == pytest.approx(dict(kept.held_out), rel=1e-4)


def test_several_processes_and_models_with_other_heads_have_the_trainer_of_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(name: str) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(model_type=name))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert trainer._trainer_for(kind("qwen2")) is not trl.SFTTrainer
    assert trainer._trainer_for(kind("gemma2")) is trl.SFTTrainer
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert trainer._trainer_for(kind("qwen2")) is trl.SFTTrainer


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_computes_in_16_bits_where_it_has_the_units_for_it(fast: bool, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": fast})
    assert trainer._precision("auto") == precision
    assert trainer._precision("float32") == "float32"


def test_a_training_stops_when_its_time_is_over(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    rows = splits(tokenizer, tmp_path)
    learnt = fine_tune(config(base, tmp_path / "out", minutes=1e-6, epochs=100), str(base), tokenizer, *rows, lambda _: None)
    assert learnt.course.step == 1
    assert "minutes were over" in learnt.course.stopped


def test_a_training_stops_when_the_held_out_loss_no_longer_falls(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    rows = splits(tokenizer, tmp_path)
    hot = config(base, tmp_path / "out", rate=0.9, epochs=20, evaluations=50, patience=2)
    learnt = fine_tune(hot, str(base), tokenizer, *rows, lambda _: None)
    assert learnt.course.step < learnt.course.steps
    assert "no longer fell" in learnt.course.stopped


def test_preferences_are_learnt(base: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(base)
    row = {
        "prompt": [{"role": "user", "content": "我睡不着。"}],
        "chosen": [{"role": "assistant", "content": "先想到什么？"}],
        "rejected": [{"role": "assistant", "content": "多喝热水吧。"}],
    }
    pairs = Pairs(rows=[row] * 8, clients=[""] * 8, read=8, longer_chosen=0, difference=0)
    dev = Pairs(
        rows=[row | {"prompt": [{"role": "user", "content": "I cannot sleep."}]}] * 2,
        clients=["b"] * 2,
        read=8,
        longer_chosen=0,
        difference=0,
    )
    learnt = prefer(config(base, tmp_path / "out", method="dpo", epochs=4), str(base), tokenizer, pairs, dev, lambda _: None)
    losses = [loss for _, loss in learnt.course.losses]
    held_out = [loss for _, loss in learnt.course.held_out]
    assert held_out[0] == pytest.approx(0.693, abs=0.01)
    assert held_out[-1] < 0.6
    assert losses[0] == pytest.approx(0.693, abs=0.01)
    assert losses[-1] < 0.5
    assert (learnt.folder / "adapter_model.safetensors").exists()
