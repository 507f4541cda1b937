"""What is wanted besides the usual parameters, and what comes back for it; refusals are in test_openai.py."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from practicum.backends import Constraint, TokenChances
from practicum.backends.base import KEPT_CHANCES
from practicum.backends.dialect import Dialect, MalformedError, encode_extras, error_code, error_text, read_answer, read_chances
from practicum.core import Form, Sampling

CONSTRAINT = Constraint(regex='"[A-C]"\n', grammar='root ::= "A"')


def members(form: Form, logprobs: int, constraint: Constraint | None) -> dict[str, Any]:
    found = encode_extras(form, logprobs, constraint)
    assert not found or found.endswith(b",")
    read: dict[str, Any] = orjson.loads(b"{" + found + b'"end":1}')
    del read["end"]
    return read


@pytest.mark.parametrize(
    ("form", "logprobs", "constraint", "wanted"),
    [
        (Form.CHAT, 0, None, {}),
        (Form.CHAT, 20, None, {"logprobs": True, "top_logprobs": 20}),
        (Form.TRANSCRIPT, 20, None, {"logprobs": 20}),
        (Form.CHAT, 0, CONSTRAINT, {"structured_outputs": {"regex": CONSTRAINT.regex}, "grammar": CONSTRAINT.grammar}),
        (
            Form.TRANSCRIPT,
            3,
            CONSTRAINT,
            {"logprobs": 3, "structured_outputs": {"regex": CONSTRAINT.regex}, "grammar": CONSTRAINT.grammar},
        ),
    ],
)
def test_extras_are_the_members_that_servers_know(form: Form, logprobs: int, constraint: Constraint | None, wanted: dict[str, Any]) -> None:
    assert members(form, logprobs, constraint) == wanted


def test_the_chances_of_a_chat_hold_the_token_itself_even_beyond_the_top() -> None:
    content = [
        {"token": "Verdict", "logprob": -0.1, "top_logprobs": None},
        {"token": " A", "logprob": -3, "top_logprobs": [{"token": " B", "logprob": -0.1}, {"token": " C", "logprob": -2.5}]},
    ]
    assert read_chances({"content": content}) == (
        TokenChances("Verdict", {"Verdict": -0.1}),
        TokenChances(" A", {" B": -0.1, " C": -2.5, " A": -3.0}),
    )


def test_the_chances_of_a_completion_come_in_lists() -> None:
    found = read_chances({"tokens": [":", " A"], "token_logprobs": [0, -1], "top_logprobs": [None, {" A": -1, " B": -2}]})
    assert found == (TokenChances(":", {}), TokenChances(" A", {" A": -1.0, " B": -2.0}))
    assert read_chances({"tokens": None, "content": None}) == ()


@pytest.mark.parametrize("chat", [True, False])
def test_only_the_last_places_are_kept(chat: bool) -> None:
    tokens = [str(number) for number in range(KEPT_CHANCES + 9)]
    content = {"content": [{"token": token, "logprob": 0} for token in tokens]}
    raw = {"tokens": tokens, "top_logprobs": [{token: 0} for token in tokens]}
    assert [one.text for one in read_chances(content if chat else raw)] == tokens[-KEPT_CHANCES:]


def answer(logprobs: Any) -> bytes:
    return orjson.dumps({"choices": [{"message": {"content": "A"}, "finish_reason": "stop", "logprobs": logprobs}]})


def test_an_answer_carries_its_chances_where_there_are_some() -> None:
    assert read_answer(answer({"content": [{"token": "A", "logprob": -0.5}]})).chances == (TokenChances("A", {"A": -0.5}),)
    assert read_answer(answer(None)).chances == ()


@pytest.mark.parametrize(
    "logprobs",
    [{"content": [{"token": "A"}]}, {"content": 3}, [1], {"tokens": ["A"], "top_logprobs": []}, {"tokens": ["A"], "top_logprobs": [3]}],
)
def test_chances_that_make_no_sense_are_a_malformed_answer(logprobs: Any) -> None:
    with pytest.raises(MalformedError):
        read_answer(answer(logprobs))


# ── what a server says of an error ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>", ""),
        (b'{"error":"model is loading"}', "model is loading", ""),
        (b'{"error":{"message":"no\\n such key","code":"invalid_api_key"}}', "no such key", "invalid_api_key"),
        (b'{"detail":"too long","type":"BadRequestError"}', "too long", ""),
        (b'{"error":{"detail":"too long","type":"context"}}', "too long", "context"),
        (b"[1]", "[1]", ""),
        (b"\xff" * 900, "\ufffd" * 300, ""),
    ],
)
def test_an_error_is_told_in_one_line_of_the_servers_own_words(body: bytes, text: str, code: str) -> None:
    assert (error_text(body), error_code(body)) == (text, code)


def test_of_a_refusal_that_names_nothing_nothing_is_learnt() -> None:
    dialect = Dialect()
    before = dialect.encode(Sampling(), ("\n",), 7)
    for body in (b"<html>", b'{"error":"unsupported"}', b'{"error":{"message":"seed must be positive"}}'):
        assert dialect.learn(body) is None
    assert (dialect.version, dialect.encode(Sampling(), ("\n",), 7)) == (0, before)
    assert dialect.learn(b'{"error":{"message":"unknown parameter: seed"}}') == "does not take seed: calls go without it"
    assert (dialect.version, b"seed" in dialect.encode(Sampling(), ("\n",), 7)) == (1, False)
