from __future__ import annotations

import pytest

from practicum.errors import TrainingError
from practicum.training.masking import IGNORED, encode, render
from tests.training.toys import ENDS, TEMPLATES, toy_tokenizer

pytest.importorskip("transformers")

SYSTEM = {"role": "system", "content": "你是一位咨询师。"}
ZH = [
    {"role": "user", "content": "我最近总是睡不着。"},
    {"role": "assistant", "content": "嗯，一躺下，先想到的是什么呢？"},
    {"role": "user", "content": "工作上的事😔，\n停不下来。"},
    {"role": "assistant", "content": "那里面，哪一件最让你放不下？"},
]
EN = [
    {"role": "user", "content": "I keep waking up at four."},
    {"role": "assistant", "content": "What goes through your mind then?"},
    {"role": "user", "content": "Work. Always work."},
    {"role": "assistant", "content": "Which part of it?"},
]


def learnt(tokenizer: object, messages: list[dict[str, str]]) -> str:
    labels = [label for label in encode(tokenizer, messages).labels if label != IGNORED]  # type: ignore[arg-type]
    return str(tokenizer.decode(labels, skip_special_tokens=False))  # type: ignore[attr-defined]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("turns", [ZH, EN], ids=["zh", "en"])
@pytest.mark.parametrize("system", [[], [SYSTEM]], ids=["bare", "system"])
def test_what_is_learnt_is_the_counselors_turns_and_their_end_marks(
    template: str, turns: list[dict[str, str]], system: list[dict[str, str]]
) -> None:
    lead = " " if template == "deepseek" else ""  # its generation prompt ends in a colon, without the blank
    expected = "".join(f"{lead}{turn['content']}{ENDS[template]}" for turn in turns if turn["role"] == "assistant")
    assert learnt(toy_tokenizer(template), [*system, *turns]) == expected


def test_a_template_that_rewrites_what_it_wrote_is_refused() -> None:
    tokenizer = toy_tokenizer("qwen2")
    tokenizer.chat_template = "{{ messages | length }}" + TEMPLATES["qwen2"]
    with pytest.raises(TrainingError, match="does not only append"):
        encode(tokenizer, ZH)


def test_a_template_that_takes_no_system_role_says_so() -> None:
    tokenizer = toy_tokenizer("qwen2")
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATES["qwen2"]
    )
    with pytest.raises(TrainingError, match="no system role"):
        encode(tokenizer, [SYSTEM, *ZH])


def test_a_token_across_the_border_of_a_reply_is_refused() -> None:
    tokenizer = toy_tokenizer("qwen2")
    tokenizer.add_tokens(["：嗯"])
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' %}来访者：{{ m.content }}\n{% else %}咨询师：{{ m.content }}<|im_end|>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}咨询师：{% endif %}"
    )
    with pytest.raises(TrainingError, match="joins the end of the prompt"):
        encode(tokenizer, ZH)


def test_the_ends_of_messages_are_told() -> None:
    rendered = render(toy_tokenizer("qwen2"), ZH)
    assert rendered.ends[-1] == len(rendered.text)
    assert rendered.text[: rendered.ends[0]].endswith("我最近总是睡不着。<|im_end|>\n")


@pytest.mark.parametrize("template", TEMPLATES)
def test_token_ids_are_those_of_the_models_own_template(template: str) -> None:
    tokenizer = toy_tokenizer(template)
    messages = [SYSTEM, *ZH, *EN]
    assert encode(tokenizer, messages).input_ids == tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
