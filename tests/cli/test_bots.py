from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from practicum.core import Form
from practicum.serve import find_bot, read_bot
from tests.backends.test_gguf import gguf, string
from tests.cli.conftest import Practicum
from tests.serve.test_bot_check import CHATML, DEAF, STRICT

REMOTE = "openai:m@http://127.0.0.1:9/v1"


def test_list_names_every_bot_and_what_stands_in(practicum: Practicum) -> None:
    told = practicum("bots", "list")
    assert told.status == 0
    assert told.out == snapshot("""\
name                       languages  form         model                         note
cbt                        zh, en     the model's  local:qwen2.5-coder-1.5b
cpsycounx                  zh         transcript   hf:CAS-SIAT-XinHai/CPsyCounX
integrative                zh, en     the model's  local:qwen2.5-coder-1.5b
mechat                     zh         transcript   hf:qiuhuachuan/MeChat         our instruction stands in for its authors'
motivational-interviewing  zh, en     the model's  local:qwen2.5-coder-1.5b
person-centred             zh, en     the model's  local:qwen2.5-coder-1.5b
psychat                    zh         transcript   hf:qiuhuachuan/PsyChat        our instruction stands in for its authors'
simpsybot_d                zh         chat         hf:qiuhuachuan/simpsybot_D    our instruction stands in for its authors'
simpsybot_q                zh         chat         hf:qiuhuachuan/simpsybot_Q    our instruction stands in for its authors'
soulchat                   zh         transcript   hf:scutcyr/SoulChat

anywhere a model is named, bot:NAME is such a bot, bot:FILE.toml one of yours; `practicum bots new` begins one
""")
    assert [bot["name"] for bot in practicum("bots", "list", "--json").json()][:2] == ["cbt", "cpsycounx"]


def test_show_tells_what_a_file_says_and_what_its_source_does_not(practicum: Practicum) -> None:
    assert practicum("bots", "show", "mechat").out == snapshot("""\
name         mechat
about        MeChat：用单轮问答扩写的多轮对话微调的心理支持模型（论文的基线之一）
about        MeChat: fine-tuned on dialogues expanded from single questions and answers (a baseline of the paper)
languages    zh
weights      qiuhuachuan/MeChat (from ChatGLM2-6B)
licence      unknown
note         licence: not stated in the authors' README (qiuhuachuan/smile); look at the model card and at ChatGLM2-6B's first
model        hf:qiuhuachuan/MeChat
asked by     the model's own .chat(), code that comes with it
dtype        float16
form         transcript
instruction  bundled:instruction (our instruction stands in for its authors'; --prompt takes theirs)
heading      对话：
labels       来访者： / 咨询师：
cue          咨询师：
shown        the whole session
temperature  0.8
top_p        0.8
max_tokens   unknown
stops        unknown
seed         unknown
replies      as they come

unknown: its source does not say; the model's own default is used
""")
    assert practicum("bots", "show", "soulchat").out == snapshot("""\
name         soulchat
about        灵心 SoulChat：用长文本咨询和多轮共情对话微调的模型（论文的基线之一）
about        SoulChat: fine-tuned on long counseling answers and empathetic dialogues (a baseline of the paper)
languages    zh
weights      scutcyr/SoulChat (from ChatGLM-6B)
licence      ChatGLM-6B MODEL_LICENSE; non-commercial research only
note         licence: as the authors' README says (scutcyr/SoulChat)
model        hf:scutcyr/SoulChat
asked by     the model's own .chat(), code that comes with it
dtype        float16
form         transcript
instruction  none
labels       用户： / 心理咨询师：
cue          心理咨询师：
shown        the whole session
temperature  0.95
top_p        0.75
max_tokens   unknown
stops        unknown
seed         unknown
besides      max_length = 4000, num_beams = 1, do_sample = True
replies      as they come

unknown: its source does not say; the model's own default is used
""")


def test_show_says_what_the_defaults_are(practicum: Practicum) -> None:
    Path("mine.toml").write_text(
        'name = "mine"\nlanguages = ["en"]\nmodel = { name = "local:x.gguf", lora = "y.gguf" }\nprompt = { window = 4 }\n'
        'decoding = { stop = ["\\n"], caller = ["top_p"] }\n',
        "utf-8",
    )
    told = practicum("bots", "show", "mine.toml")
    assert told.out == snapshot("""\
name             mine
languages        en
model            local:x.gguf
adapter          y.gguf
form             what the model needs
instruction      none
shown            the last 4 exchanges
temperature      the model's own
top_p            the model's own
max_tokens       the model's own
stops            '\\n'
callers may set  top_p
replies          as they come
""")
    assert practicum("bots", "show", "mine.toml", "--json").json()["prompt"]["window"] == 4


def test_an_unknown_bot_is_a_wrong_command(practicum: Practicum) -> None:
    told = practicum("bots", "show", "eliza")
    assert told.status == 2
    assert told.err.startswith("practicum: there is no bot 'eliza'; known: cbt, ")


def test_a_broken_file_is_told_line_by_line(practicum: Practicum) -> None:
    Path("bad.toml").write_text('name = "bad"\nlanguages = ["zh"]\nmodel.name = "x"\ncolour = 1\n', "utf-8")
    told = practicum("bots", "check", "bad.toml")
    assert told.status == 2
    assert [line.partition(": ")[0] for line in told.err.splitlines()] == ["practicum"] * 2
    assert "bot file bad.toml: unknown key 'colour'" in told.err


# ── check ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_check_shows_what_a_server_is_sent_and_what_cannot_be_seen(practicum: Practicum) -> None:
    Path("我的.txt").write_text("请写出咨询师的下一句话。", "utf-8")
    told = practicum("bots", "check", "mechat", "--model", REMOTE, "--prompt", "我的.txt")
    assert told.status == 0
    assert told.out == snapshot("""\
bot/mechat on openai:m, transcript form, zh
(the messages that are sent; the marks around them are the server's)

  [user]
  请写出咨询师的下一句话。

  对话：
  来访者：老师您好，我第一次来。
  咨询师：欢迎你，今天想从哪里说起？
  来访者：最近换了部门，夜里总是三点就醒。
  咨询师：

drawn with temperature 0.8, top_p 0.8
warning  the model's own .chat() writes marks of its own around this text: compare them with what the server's chat template writes

""")


def test_check_looks_through_a_template_that_the_user_names(practicum: Practicum) -> None:
    Path("t.jinja").write_text(CHATML, "utf-8")
    Path("p.txt").write_text("You are a counselor.", "utf-8")
    told = practicum("bots", "check", "cbt", "--model", REMOTE, "--template", "t.jinja", "--prompt", "p.txt", "--language", "en")
    assert told.status == 0
    assert told.out == snapshot("""\
bot/cbt on openai:m, chat form, en

  <|im_start|>system
  You are a counselor.<|im_end|>
  <|im_start|>user
  Hello, this is my first time here.<|im_end|>
  <|im_start|>assistant
  Welcome, where would you like to begin?<|im_end|>
  <|im_start|>user
  I changed teams and now I wake at three every night.<|im_end|>
  <|im_start|>assistant


drawn with temperature 1.0, top_p 1.0, max_tokens 500
ok       every message stands in the text once and in order; turns in alternation are accepted
ok       the text ends where the counselor's reply begins

""")


def test_check_reads_the_template_in_a_gguf_file(practicum: Practicum) -> None:
    Path("m.gguf").write_bytes(gguf(string("tokenizer.chat_template", CHATML)))
    told = practicum("bots", "check", "integrative", "--model", "local:m.gguf", "--json")
    (found,) = told.json()
    assert (told.status, found["model"].partition("#")[0], found["form"], found["raw"], found["marked"]) == (
        0,
        "local:m.gguf",
        "chat",
        False,
        True,
    )
    assert [finding["level"] for finding in found["findings"]] == ["ok", "ok"]
    assert found["seen"].startswith("<|im_start|>system\n你叫小禾")
    assert (found["decoding"]["temperature"], found["stop"], found["language"]) == (1.0, [], "zh")


def test_check_exits_with_1_where_the_model_would_not_see_what_it_should(practicum: Practicum) -> None:
    for name, template in (("drops", DEAF), ("refuses", STRICT)):
        Path(f"{name}.jinja").write_text(template, "utf-8")
        told = practicum("bots", "check", "person-centred", "mechat", "--model", REMOTE, "--template", f"{name}.jinja")
        assert told.status == 1
        assert "fault    " in told.out
        assert "bot/mechat" in told.out
        assert not told.err


def test_check_of_a_local_bot_says_how_to_fetch_its_weights(practicum: Practicum) -> None:
    told = practicum("bots", "check", "integrative")
    assert told.status == 1
    assert (
        told.err
        == "practicum: model local:qwen2.5-coder-1.5b is not on this machine yet; `practicum models pull qwen2.5-coder-1.5b` fetches it\n"
    )


def test_check_refuses_a_language_that_a_bot_does_not_speak(practicum: Practicum) -> None:
    told = practicum("bots", "check", "soulchat", "--model", REMOTE, "--language", "en")
    assert (told.status, told.err) == (2, "practicum: bot soulchat speaks zh, not en; leave --language out\n")


# ── new ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_new_begins_with_a_bot_and_reads_as_that_bot(practicum: Practicum) -> None:
    told = practicum("bots", "new", "mine", "--from", "soulchat")
    assert (told.status, told.out) == (0, "mine.toml\n")
    assert "practicum bots check mine.toml" in told.err
    assert read_bot(Path("mine.toml")) == find_bot("soulchat").model_copy(update={"name": "mine"})
    assert practicum("bots", "check", "mine.toml", "--model", REMOTE).status == 0


def test_new_begins_with_a_model_and_a_prompt_named_from_where_the_file_lies(practicum: Practicum) -> None:
    Path("prompts").mkdir()
    Path("bots").mkdir()
    Path("prompts/我的.txt").write_text("你是咨询师。", "utf-8")
    told = practicum("bots", "new", "mine", "--model", "deepseek:deepseek-chat", "--prompt", "prompts/我的.txt", "--out", "bots/mine.toml")
    assert (told.status, told.out) == (0, "bots/mine.toml\n")
    assert 'text = "../prompts/我的.txt"' in Path("bots/mine.toml").read_text("utf-8")
    bot = read_bot(Path("bots/mine.toml"))
    assert (bot.model.name, bot.languages, bot.prompt.stands_in, bot.about.en) == ("deepseek:deepseek-chat", ("zh", "en"), False, "")
    assert Path(bot.prompt.text).read_text("utf-8") == "你是咨询师。"


def test_new_with_another_model_leaves_the_first_ones_code_and_source_behind(practicum: Practicum) -> None:
    practicum("bots", "new", "mine", "--from", "mechat", "--model", REMOTE, "--prompt", "theirs.txt")
    bot, mechat = read_bot(Path("mine.toml")), find_bot("mechat")
    assert (bot.model.name, bot.model.own, bot.model.trust_remote_code, bot.source.weights) == (REMOTE, False, False, "")
    assert (bot.prompt.form, bot.prompt.labels, bot.prompt.stands_in) == (Form.TRANSCRIPT, mechat.prompt.labels, False)
    assert bot.decoding == mechat.decoding


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("mine",), "give --from BOT to begin with a bot, or --model MODEL"),
        (("mine", "--from", "cbt", "--out", "mine.txt"), "expected a name that ends in .toml"),
        (("Mine!", "--from", "cbt"), "bot Mine!: name: 'Mine!' will not do"),
        (("mine", "--model", "gpt-4"), "bot mine: model.name: 'gpt-4' will not do"),
        (("mine", "--from", "cbt", "--out", "nowhere/mine.toml"), "nowhere/mine.toml: cannot be written: No such file or directory"),
        (("there", "--from", "cbt"), "there.toml is there already; give another name, or --out FILE"),
    ],
)
def test_new_refuses_what_would_be_no_bot_and_overwrites_nothing(practicum: Practicum, args: tuple[str, ...], told: str) -> None:
    Path("there.toml").write_text("mine", "utf-8")
    outcome = practicum("bots", "new", *args)
    assert outcome.status == 2
    assert told in outcome.err
    assert Path("there.toml").read_text("utf-8") == "mine"
    assert not Path("mine.toml").exists()
