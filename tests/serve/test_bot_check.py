from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from practicum.backends import ModelName, read_model_name
from practicum.core import Form, Language, Message, Sampling, Speaker
from practicum.errors import ConfigError
from practicum.roles import Prompt
from practicum.serve import Bot
from practicum.serve.bot_check import SAMPLE, BotCheck, check_bot, sample_language, sample_request
from practicum.serve.chat_template import ChatTemplate, TemplateFaultError, find_template, read_template_file
from tests.backends.test_gguf import gguf, string

NOW = datetime(2026, 3, 1, tzinfo=UTC)

CHATML = """\
{% for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' -}}
{% endfor %}
{% if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' -}}
{% endif %}
"""
NO_BEGINNING = CHATML.partition("{% if add")[0]
LLAMA3 = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""
DATED = LLAMA3.replace(
    "message['content'] | trim",
    "('' if message['role'] != 'system' else 'Today: ' + strftime_now('%d %b %Y') + '\\n') + message['content'] | trim",
)
STRICT = """\
{{- bos_token }}{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/…') }}{% endif %}
{% if message['role'] == 'user' %}
{{- '[INST] ' + message['content'] + ' [/INST]' -}}
{% else %}
{{- ' ' + message['content'] + eos_token -}}
{% endif %}
{% endfor %}
"""
DEAF = CHATML.replace("{{- '<|im_start|>'", "{% if message.role != 'system' %}{{- '<|im_start|>'", 1).replace(
    "'\\n' -}}", "'\\n' -}}{% endif %}", 1
)
THINKING = CHATML.replace(
    "message['content']", "('<think>\\n\\n</think>\\n\\n' if message.role == 'assistant' and loop.last else '') + message['content']", 1
)
OPENED = CHATML.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n<think>\\n'")
TWICE = CHATML.replace("message['content']", "message['content'] + (message['content'] if message.role == 'user' else '')", 1)
BACKWARDS = CHATML.replace("in messages", "in messages | reverse", 1)
FORGETFUL = CHATML.replace("{% for message in messages %}", "{% for message in messages if message.role != 'assistant' %}", 1)


def bot(text: str = "写一句，最多 {{ max_exchanges }} 个来回。", **rest: Any) -> Bot:
    made: dict[str, Any] = {
        "name": "mine",
        "digest": "0" * 16,
        "languages": ("zh", "en"),
        "about": {},
        "form": Form.CHAT,
        "raw": False,
        "sampling": Sampling(),
        "prompts": {"zh": Prompt(id="mine", role="counselor", language="zh", form=Form.CHAT, text=text)} if text else {},
    }
    return Bot(**made | rest)


RAW = bot(form=Form.TRANSCRIPT, raw=True, template="chatml")


def checked(shown: Bot, template: str | None, language: Language | None = None, **rest: Any) -> BotCheck:
    return check_bot(
        shown, None if template is None else ChatTemplate(text=template, bos="<s>", eos="</s>"), language=language, now=NOW, **rest
    )


def told(check: BotCheck) -> list[str]:
    return [f"{finding.level}: {finding.text}" for finding in check.findings]


# ── raw completion ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_raw_marks_that_are_the_models_own_are_found_so_to_the_character() -> None:
    check = checked(RAW, CHATML)
    assert told(check) == ["ok: the marks (chatml) are those of the model's own chat template, to the character"]
    assert check.marked
    assert check.sound
    assert check.seen == snapshot("""\
<|im_start|>system
写一句，最多 50 个来回。<|im_end|>
<|im_start|>user
来访者：老师您好，我第一次来。
咨询师：欢迎你，今天想从哪里说起？
来访者：最近换了部门，夜里总是三点就醒。<|im_end|>
<|im_start|>assistant
咨询师：\
""")


def test_the_mark_of_the_beginning_is_the_tokenizers_and_does_not_count() -> None:
    assert checked(bot(form=Form.TRANSCRIPT, raw=True, template="llama3"), LLAMA3).sound
    assert told(checked(bot(form=Form.TRANSCRIPT, raw=True, template="llama3"), LLAMA3))[0].startswith("ok: ")


def test_a_raw_bot_without_an_instruction_is_compared_without_one() -> None:
    assert told(checked(bot(text="", form=Form.TRANSCRIPT, raw=True, template="chatml"), CHATML))[0].startswith("ok: ")


def test_marks_of_another_kind_are_a_fault_with_the_right_ones() -> None:
    check = checked(RAW, LLAMA3)
    assert not check.sound
    assert told(check) == [
        "fault: the marks are those of 'chatml', the model's own template is of another kind; set prompt.template = \"llama3\""
    ]


def test_marks_that_differ_in_a_detail_are_quoted_where_they_part() -> None:
    (finding,) = told(checked(bot(form=Form.TRANSCRIPT, raw=True, template="llama3"), DATED))
    assert finding.startswith("warning: the marks (llama3) differ from the model's own chat template: it has 'Today: 01 Mar 2026")
    assert "where the bot sends '写一句，最多 50 个来回。" in finding


def test_a_raw_text_without_marks_is_pointed_out_where_the_model_has_a_template() -> None:
    (finding,) = told(checked(bot(form=Form.TRANSCRIPT, raw=True), STRICT))
    assert finding.startswith("warning: the text goes without marks")


def test_a_template_that_cannot_be_rendered_cannot_be_compared() -> None:
    (finding,) = told(checked(RAW, CHATML + "{{ raise_exception('no') }}"))
    assert finding == "warning: the model's own template cannot be compared: no"


def test_raw_marks_of_an_unknown_template_are_taken_on_trust() -> None:
    (finding,) = told(checked(RAW, None, unknown="the server keeps it"))
    assert finding == "warning: the marks are those of 'chatml', taken on trust: the server keeps it"
    assert "give --template FILE" in told(checked(RAW, None))[0]


# ── chat ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("template", [CHATML, LLAMA3, DATED, THINKING, OPENED], ids=["chatml", "llama3", "dated", "thinking", "opened"])
def test_a_good_template_shows_the_whole_session_and_begins_the_reply(template: str, language: Language) -> None:
    check = checked(bot(), template, language)
    assert told(check)[-2:] == [
        "ok: every message stands in the text once and in order; turns in alternation are accepted",
        "ok: the text ends where the counselor's reply begins",
    ]
    assert all(text in check.seen for text in SAMPLE[language])


def test_the_text_that_the_model_will_see_is_shown_with_its_marks() -> None:
    assert checked(bot(), LLAMA3, "zh").seen == snapshot("""\
<s><|start_header_id|>system<|end_header_id|>

写一句，最多 50 个来回。<|eot_id|><|start_header_id|>user<|end_header_id|>

老师您好，我第一次来。<|eot_id|><|start_header_id|>assistant<|end_header_id|>

欢迎你，今天想从哪里说起？<|eot_id|><|start_header_id|>user<|end_header_id|>

最近换了部门，夜里总是三点就醒。<|eot_id|><|start_header_id|>assistant<|end_header_id|>

""")


def test_a_template_that_takes_no_system_message_is_a_fault_with_the_way_out() -> None:
    check = checked(bot(), STRICT)
    assert told(check) == [
        "fault: the model's template takes no system message (Roles must alternate user/assistant/…); "
        'send the instruction in a text (form = "transcript")'
    ]
    assert not check.marked
    assert check.seen.startswith("[system]\n写一句")


def test_the_same_template_takes_a_bot_without_an_instruction_or_one_text() -> None:
    check = checked(bot(text=""), STRICT)
    assert check.sound
    assert check.seen.startswith("<s>[INST] 老师您好，我第一次来。 [/INST] 欢迎你，今天想从哪里说起？</s>[INST] ")
    one = checked(bot(form=Form.TRANSCRIPT), STRICT)
    assert told(one) == ["ok: the whole text reaches the model once", "ok: the text ends where the counselor's reply begins"]


def test_a_template_that_refuses_the_turns_themselves_is_a_fault() -> None:
    refusing = "{{ raise_exception('only one message') }}"
    for shown in (bot(), bot(text="")):
        assert told(checked(shown, refusing)) == ["fault: the model's template refuses the session: only one message"]


def test_an_instruction_that_the_template_drops_is_a_fault() -> None:
    check = checked(bot(), DEAF)
    assert told(check)[0] == (
        'fault: the instruction does not reach the model through the model\'s template; send it in a text (form = "transcript")'
    )
    assert not check.sound


def test_turns_that_are_doubled_dropped_or_turned_around_are_faults() -> None:
    assert (
        told(checked(bot(), TWICE))[0]
        == "fault: the user's '老师您好，我第一次来。' stands in the text 2 times through the model's template"
    )
    assert (
        told(checked(bot(), FORGETFUL))[0]
        == "fault: the assistant's '欢迎你，今天想从哪里说起？' does not reach the model through the model's template"
    )
    assert told(checked(bot(), BACKWARDS))[0] == "fault: the model's template changes the order of the messages"


@pytest.mark.parametrize("template", [NO_BEGINNING, FORGETFUL], ids=["none", "no assistant"])
def test_a_template_that_does_not_begin_the_reply_is_a_fault(template: str) -> None:
    assert told(checked(bot(), template))[-1] == (
        "fault: the model's template does not begin the reply: the model may go on with the client's words; "
        "look at add_generation_prompt in it"
    )


def test_a_template_that_refuses_an_answer_at_the_end_leaves_one_question_open() -> None:
    template = "{% if messages[-1].role != 'user' %}{{ raise_exception('last must be user') }}{% endif %}" + CHATML
    check = checked(bot(), template)
    assert told(check)[-1] == "warning: whether the reply is begun cannot be told: last must be user"
    assert check.sound


def test_without_a_template_the_messages_are_shown_and_the_reason_is_told() -> None:
    check = checked(bot(), None, unknown="the server keeps it to itself; give --template FILE")
    assert told(check) == ["warning: the server keeps it to itself; give --template FILE"]
    assert not check.marked
    assert check.seen.startswith("[system]\n写一句，最多 50 个来回。\n\n[user]\n老师您好")
    assert "give --template FILE" in told(checked(bot(), None))[0]


def test_a_model_that_is_asked_by_its_own_chat_cannot_be_looked_into() -> None:
    check = checked(bot(form=Form.TRANSCRIPT), CHATML, own=True)
    assert told(check)[0].startswith("warning: the model's own .chat() writes marks of its own around this text")
    assert check.seen.startswith("[user]\n写一句，最多 50 个来回。\n\n来访者：老师您好")


def test_what_stands_in_and_what_is_missing_is_told_first() -> None:
    assert told(checked(bot(stands_in=True), CHATML))[0].startswith("warning: the instruction is practicum's own and stands in")
    assert told(checked(bot(), CHATML, "en"))[0] == "warning: there is no instruction in en: none is sent"


def test_a_bot_is_checked_in_a_language_that_it_speaks() -> None:
    assert sample_language(bot(), None) == "zh"
    assert sample_language(bot(), "en") == "en"
    with pytest.raises(ConfigError, match="bot mine speaks zh, not en; leave --language out"):
        sample_language(bot(languages=("zh",)), "en")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_sample_is_asked_for_its_second_exchange(language: Language) -> None:
    shown = sample_request(bot(form=Form.TRANSCRIPT, labels={Speaker.CLIENT: "A: ", Speaker.COUNSELOR: "B: "}), language)
    assert shown.messages[-1].content.count("\nB: ") == 2
    assert len(set(SAMPLE[language])) == 3


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def rendered(text: str, **rest: Any) -> str:
    return ChatTemplate(text=text, **rest).render([Message("user", "<b>你好</b>")], now=NOW, begin=True)


def test_a_template_is_rendered_as_transformers_does() -> None:
    assert rendered("  {% if true %}\n{{ messages[0].content }}\n  {% endif %}\n{{ bos_token }}", bos="<s>") == "<b>你好</b>\n<s>"
    assert rendered("{{ messages | tojson }}") == '[{"role": "user", "content": "<b>你好</b>"}]'
    assert rendered("{{ strftime_now('%Y-%m-%d') }}{% if tools %}x{% endif %}") == "2026-03-01"
    assert rendered("{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}") == "<b>你好</b>"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{{ raise_exception('not\n so') }}", "not so"),
        ("{% for %}", "Expected"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[7].content }}", "list object has no element 7"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_a_template_that_fails_is_told_in_a_line(text: str, cause: str) -> None:
    with pytest.raises(TemplateFaultError, match=cause):
        rendered(text)


def write_folder(folder: Path, config: Any, template: str | None = None) -> Path:
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


def test_a_folder_of_weights_has_its_template_in_either_file(tmp_path: Path) -> None:
    config = {"chat_template": "a", "bos_token": {"content": "<s>"}, "eos_token": "</s>"}
    old = write_folder(tmp_path / "old", config)
    new = write_folder(tmp_path / "new", {**config, "bos_token": None}, "b")
    named = write_folder(
        tmp_path / "named", {"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}
    )
    assert read_template_file(old) == ChatTemplate(text="a", bos="<s>", eos="</s>")
    assert read_template_file(new) == ChatTemplate(text="b", bos="", eos="</s>")
    assert read_template_file(named / "tokenizer_config.json").text == "d"
    assert find_template(ModelName(backend="hf", name=str(old)), None) == read_template_file(old)


def test_a_template_may_be_a_file_of_its_own_or_in_a_gguf_file(tmp_path: Path) -> None:
    (tmp_path / "x.jinja").write_text("{{ messages }}", "utf-8")
    (tmp_path / "m.gguf").write_bytes(gguf(string("tokenizer.chat_template", "g")))
    assert read_template_file(tmp_path / "x.jinja").text == "{{ messages }}"
    assert read_template_file(tmp_path / "m.gguf").text == "g"
    assert find_template(read_model_name("local:any"), tmp_path / "m.gguf") == ChatTemplate(text="g")
    assert find_template(ModelName(backend="hf", name=str(tmp_path / "m.gguf")), None) == ChatTemplate(text="g")


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.jinja", b" \n", "there is none in it"),
        ("a.json", b"{}", "there is none in it"),
        ("a.json", b"[]", "expected an object"),
        ("a.json", b"{", "is not JSON"),
        ("a.jinja", "你".encode("gbk"), "is not UTF-8 text"),
        ("gone.jinja", None, "cannot be read"),
        ("m.gguf", gguf(), "there is none in it"),
    ],
)
def test_a_file_without_a_template_is_refused(tmp_path: Path, name: str, content: bytes | None, cause: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=cause):
        read_template_file(path)


def test_where_a_template_cannot_be_read_it_is_said_what_to_do(tmp_path: Path) -> None:
    bare = tmp_path / "bare.gguf"
    bare.write_bytes(gguf())
    (tmp_path / "folder").mkdir()
    assert find_template(read_model_name("local:any"), bare) == "bare.gguf holds no chat template; give --template FILE"
    assert str(find_template(ModelName(backend="hf", name=str(tmp_path / "folder")), None)).endswith(
        "folder holds no chat template; give --template FILE"
    )
    assert "give --model hf:FOLDER or --template FILE" in str(find_template(read_model_name("hf:a/b"), None))
    assert find_template(read_model_name("script:echo"), None) == "a script has no chat template"
    remote = str(find_template(read_model_name("openai:m@http://127.0.0.1:9/v1"), None))
    assert remote.startswith("the server of openai:m keeps its chat template to itself; give --template FILE")
