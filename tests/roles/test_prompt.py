import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import LANGUAGES, Form, Language, Speaker, text_digest
from practicum.errors import PromptError
from practicum.roles.prompt import QUESTION, SUPERVISOR, Prompt, bundled_prompts, labels, load_prompt, opening, read_prompt_file

SHARED: dict[str, Any] = {"language": "zh", "max_exchanges": 37}
STORY = "我二十九岁，升职以后睡不着。"


def prompt_of(text: str, role: str = "client") -> Prompt:
    return Prompt(id="mine.txt", role=role, language="zh", form=Form.CHAT, text=text)


def rendered(text: str, **variables: Any) -> str:
    return prompt_of(text).render(**{**SHARED, "profile": STORY, "facts": {}, **variables})


def read(path: Path, content: bytes, role: str = "client") -> Prompt:
    path.write_bytes(content)
    return read_prompt_file(path, role=role, language="zh", form=Form.CHAT)


# ── the bundled prompts ──────────────────────────────────────────────────────────────────────────────────────────────


NAMES = (
    "client.plain",
    "counselor.cbt",
    "counselor.instruction",
    "counselor.integrative",
    "counselor.lecturing",
    "counselor.motivational-interviewing",
    "counselor.person-centred",
    "question.sessions",
    "question.turn",
    "supervisor.ethics",
)
SPEAKERS = [prompt for prompt in bundled_prompts() if prompt.role in set(Speaker)]
QUESTIONS = [prompt for prompt in bundled_prompts() if prompt.role == QUESTION]


def test_every_role_is_bundled_in_both_languages_and_both_forms() -> None:
    expected = [f"{name}.{language}.{form}" for name in NAMES for language in sorted(LANGUAGES) for form in Form]
    assert [prompt.id for prompt in bundled_prompts()] == expected


@pytest.mark.parametrize("prompt", SPEAKERS, ids=lambda prompt: prompt.id)
def test_a_bundled_prompt_names_the_session_length_and_only_a_client_the_profile(prompt: Prompt) -> None:
    expected = {"max_exchanges", "profile"} if prompt.role == Speaker.CLIENT else {"max_exchanges"}
    assert prompt.variables() - {"facts"} == expected
    assert prompt.role == Speaker.CLIENT or "facts" not in prompt.variables()


@pytest.mark.parametrize("prompt", SPEAKERS, ids=lambda prompt: prompt.id)
def test_a_bundled_prompt_renders_for_its_role_without_loose_ends(prompt: Prompt) -> None:
    given_facts = {"age": "29", "presenting_problem": "早醒"}
    own = {"profile": STORY, "facts": given_facts} if prompt.role == Speaker.CLIENT else {}
    text = prompt.render(language=prompt.language, max_exchanges=37, **own)
    assert "37" in text
    assert text == text.strip()
    assert "{{" not in text
    assert "{%" not in text
    assert (STORY in text) == (prompt.role == Speaker.CLIENT)


@pytest.mark.parametrize("prompt", [one for one in bundled_prompts() if one.role == SUPERVISOR], ids=lambda prompt: prompt.id)
def test_a_supervisor_is_told_the_six_principles_and_nothing_of_the_session(prompt: Prompt) -> None:
    assert prompt.variables() == frozenset()
    text = prompt.render(language=prompt.language)
    assert text == text.strip()
    principles = {
        "zh": ("自主", "行善", "不伤害", "公正", "守信", "诚实"),
        "en": ("autonomy", "beneficence", "non-maleficence", "justice", "fidelity", "veracity"),
    }
    assert all(principle in text.lower() for principle in principles[prompt.language])
    with pytest.raises(PromptError, match="a supervisor must not be given max_exchanges"):
        prompt.render(language=prompt.language, max_exchanges=37)


@pytest.mark.parametrize("prompt", QUESTIONS, ids=lambda prompt: prompt.id)
def test_a_question_fences_every_reply_as_it_is_and_names_the_labels_and_the_last_line(prompt: Prompt) -> None:
    replies = [{"label": "C", "text": "第一\n\n句 {{ fence }}"}, {"label": "F", "text": "第二句"}]
    asked = {"language": prompt.language, "transcript": "来访者：你好", "replies": replies, "fence": "0a1b2c3d"}
    text = prompt.render(**asked, again=False)
    assert text == text.strip()
    for reply in replies:
        assert re.search(rf" ?{reply['label']}[：:]? ?\n?<<0a1b2c3d>>\n?{re.escape(reply['text'])}\n?<<end 0a1b2c3d>>", text)
    assert ("C、F" if prompt.language == "zh" else "C, F") in text
    assert ("结论：" if prompt.language == "zh" else "Verdict: ") in text
    assert ("来访者：你好" in text) == prompt.id.startswith("question.turn")
    again = prompt.render(**asked, again=True)
    assert len(again) > len(text)
    assert ("上一次" if prompt.language == "zh" else "last answer") in again
    assert ("上一次" if prompt.language == "zh" else "last answer") not in text


@pytest.mark.parametrize("prompt", QUESTIONS, ids=lambda prompt: prompt.id)
def test_a_question_names_nothing_that_it_is_not_given(prompt: Prompt) -> None:
    assert prompt.variables() <= {"transcript", "replies", "fence", "again"}
    with pytest.raises(PromptError, match="a question must not be given facts, profile"):
        prompt.render(profile=STORY, facts={})


@pytest.mark.parametrize("name", ["cbt", "instruction", "lecturing", "motivational-interviewing", "person-centred"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_other_counselors_are_bundled_by_name_and_say_something_else(name: str, language: Language) -> None:
    texts = {load_prompt("counselor", language, form, one).text for one in ("", name) for form in Form}
    assert len(texts) == 4


def test_the_chat_form_tells_the_client_the_facts_and_leaves_no_gap_without_them() -> None:
    prompt = load_prompt("client", "zh", Form.CHAT)
    told = prompt.render(**SHARED, profile=STORY, facts={"age": "29", "爱好": "钓鱼"})
    assert "年龄：29\n爱好：钓鱼\n\n你这样说话" in told
    assert "</经历>\n\n你这样说话" in prompt.render(**SHARED, profile=STORY, facts={})


def test_a_prompt_is_found_by_role_language_and_form_and_its_digest_is_its_texts() -> None:
    prompt = load_prompt("counselor", "en", Form.TRANSCRIPT)
    assert (prompt.id, prompt.role, prompt.language, prompt.form) == (
        "counselor.integrative.en.transcript",
        "counselor",
        "en",
        Form.TRANSCRIPT,
    )
    assert prompt.digest == text_digest(prompt.text)
    assert (prompt.ref.id, prompt.ref.digest) == (prompt.id, prompt.digest)
    assert prompt == load_prompt("counselor", "en", Form.TRANSCRIPT, "integrative")


def test_an_unknown_prompt_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PromptError, match=r"'client\.stoic\.zh\.chat' does not exist; known: client\.plain\.en\.chat, .*practicum prompts"):
        load_prompt("client", "zh", Form.CHAT, "stoic")
    with pytest.raises(PromptError, match=r"'clerk\.\.zh\.chat' does not exist"):
        load_prompt("clerk", "zh", Form.CHAT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_tell_the_sides_apart_and_the_opening_carries_none(language: Language) -> None:
    marks = labels(language)
    assert set(marks) == set(Speaker)
    assert marks[Speaker.CLIENT] != marks[Speaker.COUNSELOR]
    assert all(mark.rstrip().endswith((":", "：")) for mark in marks.values())
    assert not any(mark.strip() in opening(language) for mark in marks.values())


def test_a_client_opens_with_the_papers_greeting() -> None:
    assert (opening("zh"), opening("en")) == ("你好", "Hello")


# ── rendering ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("story", ["{{ 7 * 7 }}", "{% for x in y %}", "{# gone #}", "<b>&amp;</b>\r\n{{ profile }}"])
def test_a_profile_is_inserted_as_data_and_never_rendered(story: str) -> None:
    assert rendered("经历：{{ profile }}。", profile=story) == f"经历：{story}。"


def test_nothing_around_a_block_is_trimmed() -> None:
    assert rendered("a\n  {% if true %}\nb\n  {% endif %}\nc\n") == "a\n  \nb\n  \nc\n"


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("一\n{{ name }}", 2, "'name' is undefined"),
        ("一\n二\n{{ facts.age }}", 3, "has no attribute 'age'"),
        ("{{ profile", 1, "unexpected end of template"),
        ("\n{% if %}", 2, "Expected an expression"),
        ("{{ profile | shout }}", 1, "No filter named 'shout'"),
        ("\n\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{{ '%d' | format(profile) }}", 1, "TypeError"),
        ("{{ '{}'.format() }}", 1, "IndexError"),
        ("{% include '/etc/passwd' %}", 1, "TemplateNotFound"),
    ],
)
def test_a_fault_names_prompt_line_cause_and_what_is_available(text: str, line: int, cause: str) -> None:
    with pytest.raises(PromptError) as caught:
        rendered(text)
    message = str(caught.value)
    assert message.startswith(f"prompt 'mine.txt', line {line}: ")
    assert cause in message
    assert message.endswith("available in a client prompt: facts, language, max_exchanges, profile")
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ profile.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ '{0.__class__}'.format(profile) }}",
        "{{ self._TemplateReference__context }}",
        "{{ facts.update({'age': '1'}) }}",
        "{{ facts.clear() }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ lipsum() }}",
        "{{ [1, 2, 3] | random }}",
    ],
)
def test_the_sandbox_refuses_attacks_endless_work_and_chance(text: str) -> None:
    with pytest.raises(PromptError):
        rendered(text)


@pytest.mark.parametrize("text", ["{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "{{ " + "1" * 5000 + " }}"])
def test_a_fault_of_the_parser_itself_has_no_line_but_is_still_one_line(text: str) -> None:
    with pytest.raises(PromptError, match=r"^prompt 'mine\.txt': \w+Error: .*$"):
        rendered(text)
    with pytest.raises(PromptError, match=r"^prompt 'mine\.txt': \w+Error: .*$"):
        prompt_of(text).variables()


def test_a_counselor_is_not_given_the_profile_even_by_a_callers_mistake() -> None:
    with pytest.raises(PromptError, match=r"a counselor must not be given facts, profile; available .*: language, max_exchanges$"):
        prompt_of("你是咨询师。", role="counselor").render(**SHARED, profile=STORY, facts={})


# ── the user's own file ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        "你是来访者。\n",
        "no final break",
        "\n\n  leading and trailing  \n\n\n",
        "Windows\r\nand old Mac\rand mixed\n\r\n",
        'braces {user_profile} and {"json": "x"} and 100 % and }} and #}',
        "\ufeffwith a byte order mark",
    ],
)
def test_a_plain_file_is_said_byte_for_byte(tmp_path: Path, content: str) -> None:
    prompt = read(tmp_path / "mine.txt", content.encode())
    assert prompt.render(**SHARED, profile=STORY, facts={}).encode() == content.encode()
    assert (prompt.id, prompt.digest) == ("mine.txt", text_digest(content))


@given(st.text(min_size=1).filter(lambda text: not any(mark in text for mark in ("{{", "{%", "{#"))))
def test_any_text_without_jinja_is_said_as_it_is(text: str) -> None:
    assert rendered(text) == text


@given(before=st.text(alphabet="字 }%#x\n"), story=st.text())
def test_a_profile_takes_its_place_and_all_else_stays(before: str, story: str) -> None:
    assert rendered(before + "{{ profile }}\n", profile=story) == before + story + "\n"


def test_a_file_may_keep_names_of_its_own(tmp_path: Path) -> None:
    text = "{% if max_exchanges > 9 %}{% set pace = '慢' %}{% endif %}{% for i in range(2) %}{{ i }}{{ pace }}{% endfor %}"
    prompt = read(tmp_path / "mine.jinja", text.encode(), role="counselor")
    assert prompt.variables() == {"max_exchanges"}
    assert prompt.render(**SHARED) == "0慢1慢"


@pytest.mark.parametrize("text", ["{{ profile }}", "{{ facts.age }}", "{% if profile is defined %}x{% endif %}"])
def test_a_counselor_prompt_that_names_the_profile_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        PromptError, match=r"mine\.jinja: names (profile|facts), which a counselor never sees; .*: language, max_exchanges$"
    ):
        read(tmp_path / "mine.jinja", text.encode(), role="counselor")


def test_an_unknown_variable_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"names user_profile, which does not exist; .*: facts, language, max_exchanges, profile$"):
        read(tmp_path / "mine.jinja", b"{{ user_profile }}")


def test_a_file_with_broken_jinja_is_refused_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"'mine\.jinja', line 2: TemplateSyntaxError: .*; available"):
        read(tmp_path / "mine.jinja", b"fine\n{% for %}")
    with pytest.raises(PromptError, match=r"'mine\.jinja', line 1: TemplateAssertionError: No filter named 'shout'\.; available"):
        read(tmp_path / "mine.jinja", b"{{ profile | shout }}")


@pytest.mark.parametrize(("content", "cause"), [(b"", "is empty"), (b" \r\n\t", "is empty"), ("你好".encode("gbk"), "byte 0 is not UTF-8")])
def test_a_file_that_is_no_prompt_is_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    with pytest.raises(PromptError, match=cause):
        read(tmp_path / "mine.txt", content)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"nowhere\.txt: cannot be read \(No such file or directory\)"):
        read_prompt_file(tmp_path / "nowhere.txt", role="client", language="zh", form=Form.CHAT)
    with pytest.raises(PromptError, match=r"cannot be read"):
        read_prompt_file(tmp_path, role="client", language="zh", form=Form.CHAT)
