from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.errors import TrainingError
from practicum.training.masking import IGNORED, encode
from practicum.training.windows import Window, windows
from tests.training.toys import TEMPLATES, toy_tokenizer

pytest.importorskip("transformers")

TOKENIZERS = {name: toy_tokenizer(name) for name in TEMPLATES}
SYSTEM = {"role": "system", "content": "你是一位咨询师。"}


def session(*lengths: int) -> list[dict[str, str]]:
    """A session whose exchange n has about so many characters; every reply can be told from every other."""
    return [
        message
        for number, length in enumerate(lengths)
        for message in (
            {"role": "user", "content": f"问{number}" + "睡" * length},
            {"role": "assistant", "content": f"答{number}" + "想" * length},
        )
    ]


def replies(template: str, found: list[Window]) -> list[str]:
    tokenizer = TOKENIZERS[template]
    texts = [tokenizer.decode([label for label in one.encoded.labels if label != IGNORED]) for one in found]
    return [part for text in texts for part in text.split("答") if part.strip()]


def test_a_session_that_fits_is_one_window() -> None:
    (only,) = windows(TOKENIZERS["qwen2"], [SYSTEM, *session(3, 3)], id="s", context=500)
    assert (only.id, only.exchanges, only.history) == ("s", 2, 0)


@pytest.mark.parametrize("template", TEMPLATES)
@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=12), bare=st.booleans())
@settings(max_examples=25)
def test_every_reply_is_learnt_exactly_once_and_no_window_is_too_long(template: str, lengths: list[int], bare: bool) -> None:
    messages = session(*lengths) if bare else [SYSTEM, *session(*lengths)]
    found = windows(TOKENIZERS[template], messages, id="s", context=160)
    assert all(len(one.encoded.input_ids) <= 160 for one in found)
    said = [part.rstrip("<|im_endot>s ").removesuffix("<eos>") for part in replies(template, found)]
    assert [one[: len(str(number))] for number, one in enumerate(said)] == [str(number) for number in range(len(lengths))]
    assert sum(one.exchanges for one in found) == len(lengths)
    assert sum(one.encoded.learnt for one in found) == encode(TOKENIZERS[template], messages).learnt


def test_later_windows_show_the_system_prompt_and_what_was_said_before() -> None:
    tokenizer = TOKENIZERS["qwen2"]
    found = windows(tokenizer, [SYSTEM, *session(*[8] * 8)], id="s", context=200)
    assert len(found) > 1
    for one in found[1:]:
        text = tokenizer.decode(one.encoded.input_ids)
        assert one.history > 0
        assert "你是一位咨询师。" in text
    assert [one.id for one in found] == [f"s/{number}" for number in range(1, len(found) + 1)]


def test_an_exchange_that_cannot_fit_is_an_error_with_its_session() -> None:
    with pytest.raises(TrainingError, match=r"session abc: exchange 2 has \d+ tokens"):
        windows(TOKENIZERS["qwen2"], [SYSTEM, *session(2, 200, 2)], id="abc", context=160)
