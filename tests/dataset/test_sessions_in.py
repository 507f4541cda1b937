from __future__ import annotations

from pathlib import Path

import pytest

from practicum.core import Ending, Speaker
from practicum.dataset import import_sessions
from practicum.dataset.conversation import Conversation, Line
from practicum.errors import ConfigError, RunConflictError
from practicum.store import Store

CLIENT, COUNSELOR = Speaker.CLIENT, Speaker.COUNSELOR


def conversation(name: str, *lines: tuple[Speaker, str]) -> Conversation:
    return Conversation(id=name, source="corpus", licence="CC0-1.0", language="zh", lines=tuple(Line(*one) for one in lines), group=name)


ZH = conversation("1", (COUNSELOR, "你好。"), (CLIENT, "我睡不着。"), (CLIENT, "真的。"), (COUNSELOR, "多久了？"), (CLIENT, "半年。"))
EN = conversation("2", (CLIENT, "I want to die."), (COUNSELOR, "Thank you for telling me. Goodbye."))
NOBODY = conversation("3", (CLIENT, "有人吗？"))


def db(folder: Path) -> str:
    return f"sqlite:///{folder}/s.db"


def test_conversations_are_kept_like_sessions_of_our_own(tmp_path: Path) -> None:
    done = import_sessions([ZH, EN, NOBODY], run="corpus", source="c.jsonl", split="test", db=db(tmp_path))
    assert (done.sessions, done.written, done.left_out) == (2, 2, 1)
    with Store.open(db(tmp_path)) as store:
        zh, en = store.sessions("corpus")
    assert [(turn.speaker, turn.text) for turn in zh.turns] == [(CLIENT, "我睡不着。\n真的。"), (COUNSELOR, "多久了？")]
    assert (zh.profile.split, zh.profile.source.licence, zh.ending, zh.risk) == ("test", "CC0-1.0", Ending.TURN_LIMIT, ())
    assert (en.ending, en.risk) == (Ending.COUNSELOR_CLOSED, ("suicide",))
    assert zh.profile.digest != en.profile.digest  # two clients, told apart


def test_the_same_again_changes_nothing_and_more_of_it_is_added(tmp_path: Path) -> None:
    import_sessions([ZH], run="corpus", source="c.jsonl", db=db(tmp_path))
    assert import_sessions([ZH], run="corpus", source="c.jsonl", db=db(tmp_path)).written == 0
    assert import_sessions([ZH, EN], run="corpus", source="c.jsonl", db=db(tmp_path)).written == 1


def test_a_limit_takes_the_first(tmp_path: Path) -> None:
    assert import_sessions([ZH, EN], run="corpus", source="c.jsonl", limit=1, db=db(tmp_path)).sessions == 1


def test_another_source_under_the_same_name_is_refused(tmp_path: Path) -> None:
    import_sessions([ZH], run="corpus", source="c.jsonl", db=db(tmp_path))
    with pytest.raises(RunConflictError):
        import_sessions([EN], run="corpus", source="d.jsonl", db=db(tmp_path))


def test_nothing_to_keep_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.jsonl: no conversation with at least one exchange"):
        import_sessions([NOBODY], run="corpus", source="c.jsonl", db=db(tmp_path))
