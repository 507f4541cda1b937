from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from practicum.errors import TrainingError
from practicum.training.config import TrainConfig, presets
from practicum.training.factory import write_factory
from practicum.training.preferences import hold_out, read_pairs
from practicum.training.rows import encode_rows
from tests.training.toys import toy_tokenizer

pytest.importorskip("transformers")

GOOD = {"messages": [{"role": "user", "content": "我睡不着。"}, {"role": "assistant", "content": "多久了？"}]}


def written(file: Path, *rows: Any) -> Path:
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return file


def test_rows_are_counted(tmp_path: Path) -> None:
    long = {"id": "long", "messages": GOOD["messages"] * 12}
    rows = encode_rows(toy_tokenizer("qwen2"), written(tmp_path / "a.jsonl", GOOD, long), 128)
    assert (rows.sessions, rows.split) == (2, 1)
    assert len(rows.windows) > 2
    assert 0 < rows.learnt < rows.tokens


def test_the_order_of_training_keeps_every_row_and_is_the_same_for_a_seed(tmp_path: Path) -> None:
    many = [
        {"id": str(n), "messages": [{"role": "user", "content": "问" * n}, {"role": "assistant", "content": "答"}]} for n in range(1, 40)
    ]
    rows = encode_rows(toy_tokenizer("qwen2"), written(tmp_path / "a.jsonl", *many), 256)
    one, again, other = (rows.arranged(4, seed) for seed in (1, 1, 2))
    ids = [[window.id for window in each.windows] for each in (rows, one, other)]
    assert sorted(ids[0]) == sorted(ids[1]) == sorted(ids[2])
    assert ids[1] == [window.id for window in again.windows] != ids[2]
    lengths = [len(window.encoded.input_ids) for window in one.windows]
    spread = [max(lengths[at : at + 4]) - min(lengths[at : at + 4]) for at in range(0, 36, 4)]
    assert max(spread) <= 15  # a step's rows are about equally long; the characters of one are three tokens


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("no object", "expected"),
        ({"messages": []}, "its roles are"),
        ({"messages": GOOD["messages"][:1]}, "its roles are user"),
        ({"messages": [*GOOD["messages"], GOOD["messages"][1]]}, "its roles are user, assistant, assistant"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "content": " "}]}, "none empty"),
    ],
)
def test_a_row_that_is_no_dialogue_is_named(row: Any, message: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", GOOD, row)
    with pytest.raises(TrainingError, match=f"line 2: .*{message}"):
        encode_rows(toy_tokenizer("qwen2"), file, 128)


def test_sessions_that_cannot_fit_are_all_named(tmp_path: Path) -> None:
    long = [{"id": f"s{n}", "messages": [{"role": "user", "content": "睡" * 300}, GOOD["messages"][1]]} for n in range(3)]
    with pytest.raises(TrainingError, match=r"3 of 4 sessions cannot be used:\n  session s0: .*\n  session s1: .*\n  session s2: "):
        encode_rows(toy_tokenizer("qwen2"), written(tmp_path / "a.jsonl", GOOD, *long), 128)


def test_no_file_and_an_empty_one_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="practicum curate --out"):
        encode_rows(toy_tokenizer("qwen2"), tmp_path / "none.jsonl", 128)
    with pytest.raises(TrainingError, match="no session to learn from"):
        encode_rows(toy_tokenizer("qwen2"), written(tmp_path / "a.jsonl"), 128)


def pair(chosen: str, rejected: str) -> dict[str, Any]:
    said = {name: [{"role": "assistant", "content": text}] for name, text in (("chosen", chosen), ("rejected", rejected))}
    return {"prompt": GOOD["messages"][:1], **said}


def test_pairs_of_unlike_length_are_left_out_and_the_difference_is_told(tmp_path: Path) -> None:
    file = written(tmp_path / "p.jsonl", pair("多久了呢？", "喝热水吧。"), pair("那" * 50, "嗯"), pair("Tell me.", "Drink!!!"))
    matched = read_pairs(file, matched=True, ratio=1.5)
    assert (len(matched.rows), matched.read) == (2, 3)
    assert matched.longer_chosen == pytest.approx(1 / 3)
    assert matched.difference == pytest.approx(49 / 3)
    assert len(read_pairs(file, matched=False, ratio=1.5).rows) == 3
    with pytest.raises(TrainingError, match="about equal length"):
        read_pairs(written(tmp_path / "q.jsonl", pair("那" * 50, "嗯")), matched=True, ratio=1.5)


def test_pairs_are_held_out_by_profile_and_stay_where_they_are(tmp_path: Path) -> None:
    rows = [pair("多久了呢？", "喝热水吧。") | {"profile": f"p{n // 3}", "session": f"s{n}"} for n in range(300)]
    pairs = read_pairs(written(tmp_path / "p.jsonl", *rows), matched=True, ratio=1.5)
    learnt, back = hold_out(pairs, 0.1)
    assert back is not None
    assert len(learnt.rows) + len(back.rows) == 300
    assert not set(learnt.clients) & set(back.clients)
    assert 3 <= len(set(back.clients)) <= 20
    fewer = read_pairs(written(tmp_path / "q.jsonl", *rows[:150]), matched=True, ratio=1.5)
    _, before = hold_out(fewer, 0.1)
    assert before is not None
    assert set(before.clients) == set(back.clients) & set(fewer.clients)


def test_pairs_without_profiles_or_with_too_few_are_all_learnt_from(tmp_path: Path) -> None:
    unnamed = read_pairs(written(tmp_path / "p.jsonl", *[pair("多久了呢？", "喝热水吧。")] * 50), matched=True, ratio=1.5)
    assert hold_out(unnamed, 0.5) == (unnamed, None)
    one = read_pairs(written(tmp_path / "q.jsonl", pair("Tell me.", "Drink!") | {"session": "s"}), matched=True, ratio=1.5)
    assert [hold_out(one, share)[1] for share in (0, 0.5)] == [None, None]


@pytest.mark.parametrize(
    "text", ["[]", '{"prompt": []}', '{"prompt": [], "chosen": 3, "rejected": []}', '{"prompt": [], "chosen": [], "rejected": []}', "{"]
)
def test_what_is_no_pair_is_named_by_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(pair('a', 'b'))}\n\n{text}\n", "utf-8")
    with pytest.raises(TrainingError, match="line 3"):
        read_pairs(tmp_path / "p.jsonl", matched=False, ratio=1)


def test_no_pairs_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--format preferences"):
        read_pairs(tmp_path / "none.jsonl", matched=False, ratio=1)
    with pytest.raises(TrainingError, match="no pair"):
        read_pairs(written(tmp_path / "p.jsonl"), matched=False, ratio=1)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_configuration(name: str) -> None:
    preset = {key: value for key, value in presets()[name].items() if key != "about"}
    assert TrainConfig.model_validate({"data": "d", "base": "b", "out": "o"} | preset)


def test_the_papers_preset_has_its_figures() -> None:
    paper = presets()["paper"]
    figures = {key: paper[key] for key in ("method", "rate", "schedule", "epochs", "precision")}
    assert figures == {"method": "full", "rate": 1e-5, "schedule": "cosine", "epochs": 2, "precision": "float16"}
    assert paper["batch"] * paper["accumulate"] * 4 == 8  # on its four cards


def test_the_configuration_for_llama_factory_is_yaml_with_our_values(tmp_path: Path) -> None:
    import yaml  # type: ignore[import-untyped]

    (tmp_path / "dataset_info.json").write_text('{"practicum": {}, "practicum_dev": {}}')
    config = TrainConfig(data=str(tmp_path), base="Qwen/Qwen2-7B-Instruct", out="咨询师", method="qlora", precision="bfloat16")
    found = yaml.safe_load(write_factory(config, tmp_path / "out").read_text("utf-8"))
    assert found["template"] == "qwen"
    assert (found["dataset"], found["eval_dataset"], found["dataset_dir"]) == ("practicum", "practicum_dev", str(tmp_path))
    assert (found["quantization_bit"], found["lora_rank"], found["bf16"], found["output_dir"]) == (4, 16, True, "咨询师")
    assert found["lora_target"].startswith("q_proj,k_proj")
    with pytest.raises(TrainingError, match="preferences"):
        write_factory(config.model_copy(update={"method": "dpo"}), tmp_path)
    with pytest.raises(TrainingError, match="dataset_info"):
        write_factory(config.model_copy(update={"data": str(tmp_path / "none")}), tmp_path)
