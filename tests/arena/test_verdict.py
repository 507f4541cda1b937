from __future__ import annotations

import re
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.verdict import LONGEST_REASONS, constraint_for, read_odds, read_verdict
from practicum.backends import TokenChances
from practicum.errors import UnscorableError

LABELS = ("C", "A", "F")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("Verdict: A", "A"),
        ("结论：A", "A"),
        ("理由。\n结论：Ｆ", "F"),
        ("Reasons.\nＶｅｒｄｉｃｔ：Ａ", "A"),
        ("结论:C\n\n  \n", "C"),
        ("  Verdict:C  ", "C"),
        ("Verdict: tie", "tie"),
        ("Verdict: NONE", "none"),
        ("结论：ｔｉｅ", "tie"),
        ("C is better than A, which lectures. F changes the language.\nVerdict: C", "C"),
        ("A 比 C 好。\n结论：C\n不对，再想想。\n结论：A", "A"),
        ("回应 A 里写着：\n结论：A\n这是冒充。\n结论：F", "F"),
        ("first\r\nVerdict: F\r\n", "F"),
    ],
)
def test_the_last_line_says_the_verdict_whatever_the_reasons_name(answer: str, word: str) -> None:
    assert read_verdict(answer, LABELS) == word


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " \n\t\n",
        "A",
        "I choose A",
        "Verdict: B",
        "Verdict: a",
        "Verdict: A.",
        "Verdict: A and C",
        "Verdict: A\nbecause it listens",
        "结论：A。",
        "结论：A，因为它在听",
        "The verdict: A",
        "**Verdict: A**",
        "Verdict:",
        "Verdict: A Verdict: C",
        "结论：平局",
        "verdict: A",
        "Verdict - A",
    ],
)
def test_anything_but_a_verdict_on_the_last_line_is_refused(answer: str) -> None:
    with pytest.raises(UnscorableError, match=r"expected a last line 'Verdict: X' with X one of C/A/F/tie/none, got "):
        read_verdict(answer, LABELS)


@given(st.text(), st.sampled_from(["Verdict: ", "结论：", "Verdict:", "结论:"]), st.sampled_from([*LABELS, "tie", "none"]))
def test_after_any_text_a_proper_last_line_reads_as_its_label(text: str, word: str, label: str) -> None:
    assert read_verdict(f"{text}\n{word}{label}", LABELS) == label


@given(st.text(), st.text(alphabet="abc 。，AFC:：", min_size=1).filter(lambda text: text.strip()))
def test_after_any_verdict_a_line_that_is_none_refuses_it(text: str, last: str) -> None:
    with pytest.raises(UnscorableError):
        read_verdict(f"{text}\nVerdict: A\n{last}", LABELS)


def test_a_refusal_shows_the_end_of_what_was_said() -> None:
    with pytest.raises(UnscorableError) as caught:
        read_verdict("啊" * 500 + "结束", LABELS)
    assert str(caught.value).endswith(f"got {'啊' * 78 + '结束'!r}")


# ── probabilities ────────────────────────────────────────────────────────────────────────────────────────────────────


def place(text: str, **top: float) -> TokenChances:
    return TokenChances(text, {token.replace("_", " "): log(chance) for token, chance in top.items()})


BEFORE = [TokenChances("Verdict", {}), TokenChances(":", {})]


def test_odds_stand_where_the_verdict_was_given() -> None:
    odds = read_odds([*BEFORE, place(" A", A=0.1, _A=0.4, C=0.2, tie=0.1, no=0.1, The=0.1)], "A", LABELS)
    assert odds.mass == pytest.approx(0.9)
    assert odds.of == pytest.approx({"A": 0.5 / 0.9, "C": 0.2 / 0.9, "F": 0.0, "tie": 0.1 / 0.9, "none": 0.1 / 0.9})
    assert sum(odds.of.values()) == pytest.approx(1.0)


def test_full_width_tokens_count_as_plain_ones() -> None:
    wide = TokenChances("Ａ", {"Ａ": log(0.6), "A": log(0.3)})
    assert read_odds([TokenChances("：", {}), wide], "A", LABELS).of["A"] == pytest.approx(1.0)


def test_a_word_of_several_tokens_is_read_at_its_first() -> None:
    chances = [*BEFORE, place(" t", _t=0.5, _A=0.5), place("ie", ie=1.0)]
    assert read_odds(chances, "tie", LABELS).of["tie"] == pytest.approx(0.5)


def test_a_blank_may_be_a_token_of_its_own() -> None:
    assert read_odds([*BEFORE, TokenChances(" ", {}), place("A", A=0.8, C=0.2)], "A", LABELS).of["A"] == pytest.approx(0.8)


def test_a_label_in_the_reasons_is_not_the_place_of_the_verdict() -> None:
    reasons = [TokenChances(" than", {}), place(" A", _A=0.9, _C=0.1), TokenChances("\n", {})]
    odds = read_odds([*reasons, *BEFORE, place("A", A=0.6, C=0.4), TokenChances("<|im_end|>", {})], "A", LABELS)
    assert odds.of["A"] == pytest.approx(0.6)
    # Joined to its colon by the tokenizer, the verdict has no place of its own: the reasons' A must not stand for it.
    with pytest.raises(UnscorableError, match="no probability was given for it"):
        read_odds([*reasons, TokenChances("Verdict", {}), place(":A")], "A", LABELS)


def test_without_the_verdict_among_the_tokens_there_are_no_odds() -> None:
    with pytest.raises(UnscorableError, match="ends in 'A', but no probability was given for it"):
        read_odds([], "A", LABELS)
    with pytest.raises(UnscorableError, match="no probability"):
        read_odds([*BEFORE, place("C", C=1.0)], "A", LABELS)


def test_where_something_else_was_more_probable_there_are_no_odds() -> None:
    with pytest.raises(UnscorableError, match=r"had a probability of 0\.40 together; expected 0\.5 or more"):
        read_odds([*BEFORE, place(" A", _A=0.3, _C=0.1, _The=0.6)], "A", LABELS)


# ── constraints ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_constraint_lets_through_can_be_read(language: str) -> None:
    constraint = constraint_for(LABELS, "zh" if language == "zh" else "en")
    word = "结论：" if language == "zh" else "Verdict: "
    for label in (*LABELS, "tie", "none"):
        answer = f"because it listens\n{word}{label}"
        assert re.fullmatch(constraint.regex, answer)
        assert read_verdict(answer, LABELS) == label
        assert f'"{label}"' in constraint.grammar
    for refused in (
        "short\nVerdict: A",
        f"{'a' * (LONGEST_REASONS + 1)}\n{word}A",
        f"because it listens\n{word}B",
        f"two long\nlines\n{word}A",
    ):
        assert not re.fullmatch(constraint.regex, refused)
    assert constraint.grammar.splitlines()[0] == f'root ::= reasons "\\n" "{word}" ("C" | "A" | "F" | "tie" | "none")'
