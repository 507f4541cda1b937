from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import practicum
from practicum import Profile, simulate
from practicum.core import LANGUAGES, Form
from practicum.dataset import Format, bundled_profiles, export_run
from practicum.errors import StoreError
from practicum.roles import load_prompt
from practicum.store import Store


def hold(tmp_path: Path, **options: Any) -> tuple[str, str]:
    """Hold one short session in each language; return run and store."""
    (tmp_path / "client.txt").write_text("最近睡不好\n工作很忙\nI wake at three\n", "utf-8")
    (tmp_path / "counselor.txt").write_text("从什么时候开始的？\n那时发生了什么？\nAnd then?\n", "utf-8")
    db = f"sqlite:///{tmp_path}/practicum.db"
    result = practicum.simulate(
        [bundled_profiles("zh")[0], bundled_profiles("en")[0]],
        client=f"script:{tmp_path}/client.txt",
        counselor=f"script:{tmp_path}/counselor.txt",
        db=db,
        max_exchanges=2,
        **options,
    )
    return result.run, db


@pytest.mark.parametrize("form", Form)
def test_every_row_carries_the_chat_prompt_of_its_language_whatever_form_was_used(tmp_path: Path, form: Form) -> None:
    run, db = hold(tmp_path, client__form=form, counselor__form=form)
    report = practicum.export(run, tmp_path / "out", db=db)
    rows = json.loads((tmp_path / "out" / "data.json").read_text("utf-8"))
    assert report.written == len(rows) == 2
    for row, language in zip(rows, LANGUAGES, strict=True):
        prompt = load_prompt("counselor", language, Form.CHAT).render(language=language, max_exchanges=2)
        assert row["messages"][0] == {"role": "system", "content": prompt}
        assert row["messages"][1]["content"] == {"zh": "你好", "en": "Hello"}[language]


def test_a_users_own_counselor_prompt_is_exported_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "counselor.md"
    own.write_text("你是咨询师。最多 {{ max_exchanges }} 轮。", "utf-8")
    run, db = hold(tmp_path, counselor__prompt=own)
    own.unlink()  # the store has kept it
    practicum.export(run, tmp_path / "out", form="messages", db=db)
    first = json.loads((tmp_path / "out" / "messages.jsonl").read_text("utf-8").splitlines()[0])
    assert first["messages"][0]["content"] == "你是咨询师。最多 2 轮。"


def test_an_unknown_run_is_named_with_those_that_exist(tmp_path: Path) -> None:
    run, db = hold(tmp_path)
    with pytest.raises(StoreError, match=run):
        practicum.export("other", tmp_path / "out", db=db)


def test_sessions_of_a_training_export_are_remembered_and_others_are_not(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    profiles = [Profile.of("我最近睡不好。"), Profile.of("我不想活了。")]
    simulate(profiles, client="script:always 我睡不着。", counselor="script:always 从什么时候开始的？", max_exchanges=2, run="r", db=db)
    with Store.open(db) as store:
        export_run("r", form=Format.JSONL, out=tmp_path, db=db)
        assert store.trained_on() == set()
        export_run("r", form=Format.MESSAGES, out=tmp_path, db=db)
        assert store.trained_on() == {profiles[0].digest}
