from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from practicum.core import LANGUAGES, Form, Speaker
from practicum.errors import ConfigError
from practicum.roles import load_prompt
from practicum.serve import BotFile, bundled_bots, find_bot, read_bot
from practicum.serve.bot_file import BUNDLED
from practicum.serve.bot_text import bot_text

SMALLEST = 'name = "mine"\nlanguages = ["zh"]\nmodel.name = "deepseek:deepseek-chat"\n'
BROKEN = """\
name = "My Bot"
languages = ["fr", "zh"]
colour = "red"

[model]
name = "bot:soulchat"
key = 3
lor = "x.gguf"

[prompt]
form = "letter"
labels = { client = "客：" }
window = 0

[decoding]
temperature = 3
max_tokens = "many"
stop = ["\\n", ""]
own = { since = 2024-08-30 }
caller = ["seed"]

[reply]
strip_label = "perhaps"
"""


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_bot_file_needs_a_name_a_language_and_a_model_and_nothing_more(tmp_path: Path) -> None:
    bot = read_bot(written(tmp_path, SMALLEST))
    assert (bot.name, bot.languages, bot.model.name) == ("mine", ("zh",), "deepseek:deepseek-chat")
    assert (bot.prompt.text, bot.prompt.form, bot.decoding.temperature, bot.reply.strip_label) == ("", None, None, False)


def test_every_mistake_is_a_line_with_file_key_value_and_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_bot(written(tmp_path, BROKEN))
    assert all(line.startswith(f"bot file {tmp_path}/mine.toml: ") for line in str(caught.value).splitlines())
    assert str(caught.value).replace(f"bot file {tmp_path}/mine.toml: ", "") == snapshot("""\
name: 'My Bot' will not do: expected up to 64 of a-z, 0-9, dot, dash and underscore, a letter or digit first
languages: 'fr' will not do: input should be 'zh' or 'en'
model.name: 'bot:soulchat' will not do: a bot answers with a model, not with another bot; name the model
model.key: 3 will not do: input should be a valid string
unknown key 'model.lor'; known: model.dtype, model.key, model.lora, model.name, model.own, model.trust_remote_code
prompt.form: 'letter' will not do: input should be 'chat' or 'transcript'
prompt.labels: {'client': '客：'} will not do: expected two labels that differ, client and counselor
prompt.window: 0 will not do: input should be greater than or equal to 1; or 'unknown'
decoding.temperature: 3 will not do: input should be less than or equal to 2; or 'unknown'
decoding.max_tokens: 'many' will not do: input should be a valid integer, unable to parse string as an integer; or 'unknown'
decoding.stop: ['\\n', ''] will not do: a stop is at least one character; or 'unknown'
decoding.own: {'since': datetime.date(2024, 8, 30)} will not do: since is neither a number, a text, true nor false
decoding.caller: 'seed' will not do: input should be 'temperature' or 'top_p'
reply.strip_label: 'perhaps' will not do: input should be a valid boolean, unable to interpret input
unknown key 'colour'; known: about, decoding, languages, model, name, prompt, reply, source\
""")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "name is missing; `practicum bots new` writes a file with every key in it"),
        (SMALLEST.replace('"deepseek:deepseek-chat"', '"gpt-4"'), "model.name: 'gpt-4' will not do: expected BACKEND:NAME"),
        (SMALLEST + "prompt = 3", "prompt: 3 will not do: expected a table"),
        (SMALLEST + 'prompt.labels = { client = " ", counselor = "b" }', "expected two labels that differ"),
        (SMALLEST + 'prompt.labels = { client = "a: ", counselor = "a:" }', "expected two labels that differ"),
        (SMALLEST + 'prompt.labels = { clerk = "a" }', "prompt.labels: 'clerk' will not do: input should be 'client' or 'counselor'"),
        (SMALLEST + "decoding.own = { n = 9999999999999999999 }", "n is neither a number"),
        (SMALLEST + "decoding.own = { n = nan }", "n is neither a number"),
        (SMALLEST + 'languages = ["zh"]', "mine.toml is not TOML"),
        (SMALLEST.replace('["zh"]', "[]"), "languages: [] will not do"),
        ("名字 = ", "mine.toml is not TOML"),
    ],
)
def test_a_file_that_is_no_bot_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_bot(written(tmp_path, text))
    assert told in str(caught.value)
    assert all(line.startswith("bot file ") for line in str(caught.value).splitlines())


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^bot file .*gone\.toml: No such file or directory$"):
        find_bot(str(tmp_path / "gone.toml"))


def test_a_file_named_in_a_bot_file_lies_beside_it(tmp_path: Path) -> None:
    model = 'model = { name = "local:weights/tiny.gguf", lora = "../tuned.gguf" }'
    text = f'name = "a"\nlanguages = ["zh"]\n{model}\nprompt.text = "prompts/我的.txt"\n'
    bot = read_bot(written(tmp_path, text))
    assert bot.model.name == f"local:{tmp_path}/weights/tiny.gguf"
    assert bot.model.lora == tmp_path / ".." / "tuned.gguf"
    assert bot.prompt.text == f"{tmp_path}/prompts/我的.txt"


def test_what_is_no_relative_path_stays_as_it_is(tmp_path: Path) -> None:
    model = 'model = { name = "local:/elsewhere/tiny.gguf", lora = "/tuned.gguf" }'
    text = f'name = "a"\nlanguages = ["zh"]\n{model}\nprompt.text = "bundled:cbt"\n'
    bot = read_bot(written(tmp_path, text))
    assert (bot.model.name, bot.model.lora, bot.prompt.text) == ("local:/elsewhere/tiny.gguf", Path("/tuned.gguf"), "bundled:cbt")
    assert read_bot(written(tmp_path, SMALLEST.replace("deepseek-chat", "x.gguf"))).model.name == "deepseek:x.gguf"


# ── the bots that come along ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_six_of_the_paper_and_four_of_our_own_come_along() -> None:
    own = ["cbt", "integrative", "motivational-interviewing", "person-centred"]
    papers = ["cpsycounx", "mechat", "psychat", "simpsybot_d", "simpsybot_q", "soulchat"]
    assert [bot.name for bot in bundled_bots()] == sorted(own + papers)
    assert [bot.name for bot in bundled_bots() if not bot.source.weights] == own


@pytest.mark.parametrize("bot", bundled_bots(), ids=lambda bot: bot.name)
def test_a_bot_that_comes_along_is_found_by_name_described_and_has_its_prompts(bot: BotFile) -> None:
    assert find_bot(bot.name) == bot
    assert bot.about.zh
    assert bot.about.en
    name = bot.prompt.text.removeprefix(BUNDLED)
    assert bot.prompt.text in ("", f"{BUNDLED}{name}")
    for language in bot.languages:
        for form in Form:
            if name:
                load_prompt("counselor", language, form, name)


@pytest.mark.parametrize("bot", [bot for bot in bundled_bots() if bot.source.weights], ids=lambda bot: bot.name)
def test_what_the_origin_does_not_say_is_unknown(bot: BotFile) -> None:
    assert (bot.decoding.stop, bot.decoding.seed, bot.prompt.window) == ("unknown", "unknown", None)
    assert bot.source.licence
    assert bot.source.note
    assert bot.languages == ("zh",)
    assert (bot.reply.strip_label, bot.reply.first_paragraph, bot.decoding.caller) == (False, False, ())
    assert bot.model.own == bot.model.trust_remote_code == (bot.prompt.form is Form.TRANSCRIPT)
    assert bot.prompt.stands_in == bool(bot.prompt.text)
    if bot.prompt.labels:
        assert set(bot.prompt.labels) == set(Speaker)


@pytest.mark.parametrize("name", ["cbt", "integrative", "motivational-interviewing", "person-centred"])
def test_our_own_speak_every_language_on_any_model(name: str) -> None:
    bot = find_bot(name)
    assert bot.languages == LANGUAGES
    assert (bot.prompt.form, bot.prompt.stands_in, bot.model.own) == (None, False, False)


def test_an_unknown_bot_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no bot '心理师'; known: cbt, .*soulchat, or give the path of a bot file \(\.toml\)"):
        find_bot("心理师")


# ── a file to begin with ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bot", bundled_bots(), ids=lambda bot: bot.name)
def test_a_written_bot_reads_as_what_it_was(bot: BotFile, tmp_path: Path) -> None:
    assert read_bot(written(tmp_path, bot_text(bot))) == bot


def test_every_key_stands_in_a_written_bot_with_what_it_means() -> None:
    lines = bot_text(find_bot("soulchat")).splitlines()
    for section in ("decoding", "prompt"):
        for key in type(getattr(find_bot("soulchat"), section)).model_fields:
            assert any(line.removeprefix("# ").startswith(f"{key} =") for line in lines), key
    assert {"# window =", "# raw = false", "# caller = []", "own = true", "top_p = 0.75"} <= set(lines)
    assert "# Only so many of the last exchanges are shown; left out: the whole session." in lines
    assert 'labels = { client = "用户：", counselor = "心理咨询师：" }' in lines
    assert max(map(len, lines)) < 140


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    stops=st.lists(TEXTS.filter(bool), max_size=3),
    own=st.dictionaries(TEXTS.filter(str.isprintable), st.booleans() | TEXTS | st.integers(-(2**62), 2**62), max_size=3),
)
def test_any_text_survives_the_writing(stops: list[str], own: dict[str, Any]) -> None:
    tree = {"name": "a", "languages": ["en"], "model": {"name": "script:x"}, "decoding": {"stop": stops, "own": own}}
    bot = BotFile.model_validate(tree)
    assert BotFile.model_validate(tomllib.loads(bot_text(bot))) == bot
