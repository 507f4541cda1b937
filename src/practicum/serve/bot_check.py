"""What a bot's model will see, and whether the model's own chat template shows it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from practicum.backends import TEMPLATES, Request, template_for
from practicum.core import Form, Language, Message
from practicum.errors import ConfigError
from practicum.serve.bot import Bot, as_bot
from practicum.serve.chat_template import ChatTemplate, TemplateFaultError

SAMPLE: dict[Language, tuple[str, str, str]] = {
    "zh": ("老师您好，我第一次来。", "欢迎你，今天想从哪里说起？", "最近换了部门，夜里总是三点就醒。"),
    "en": (
        "Hello, this is my first time here.",
        "Welcome, where would you like to begin?",
        "I changed teams and now I wake at three every night.",
    ),
}
"""Two exchanges: the counselor's second turn is what the model is asked for."""
_REPLY: dict[Language, str] = {"zh": "醒来的时候，心里最先想到什么？", "en": "What comes to mind first when you wake?"}


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """It works, or may; one should know."""
    FAULT = "fault"
    """The model would not see what the bot means it to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    text: str
    """One sentence, with what to do where something is to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotCheck:
    """What was found about one bot."""

    seen: str
    """What the model will see of the sample session, marks included where they are known."""
    marked: bool
    """`seen` is the very text; else the messages, each under its role, without the marks that the server puts around them."""
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether there is no fault."""
        return all(finding.level is not Level.FAULT for finding in self.findings)


def check_bot(
    bot: Bot, template: ChatTemplate | None, *, language: Language | None = None, now: datetime, unknown: str = "", own: bool = False
) -> BotCheck:
    """Show a sample session to a bot's model, without the model.

    Args:
        bot: The bot.
        template: The model's own chat template; None: it is not known.
        language: Of the sample; None: the bot's first.
        now: Told to templates that ask for the date.
        unknown: Why the template is not known, and what to do.
        own: The model is asked through its own `.chat()`, whether here or by a server that must do the same.
    """
    language = bot.spoken(language)
    request = sample_request(bot, language)
    shown = [message for message in request.messages if message.content]
    about_bot = _about_bot(bot, language)
    if request.form is Form.TRANSCRIPT:
        text = _raw_text(request)
        return BotCheck(seen=text, marked=True, findings=(*about_bot, *_check_raw(bot, request, text, template, now, unknown)))
    if own:
        advice = (
            "the model's own .chat() writes marks of its own around this text: compare them with what the server's chat template writes"
        )
        findings = (*about_bot, Finding(level=Level.WARNING, text=advice))
        return BotCheck(seen=_listed(shown), marked=False, findings=findings)
    if template is None:
        findings = (
            *about_bot,
            Finding(level=Level.WARNING, text=unknown or "the model's chat template is not known; give --template FILE"),
        )
        return BotCheck(seen=_listed(shown), marked=False, findings=findings)
    try:
        text = template.render(shown, now=now, begin=True)
    except TemplateFaultError as problem:
        findings = (*about_bot, _refusal(shown, template, now, problem))
        return BotCheck(seen=_listed(shown), marked=False, findings=findings)
    return BotCheck(seen=text, marked=True, findings=(*about_bot, *_check_chat(shown, text, template, language, now)))


def sample_request(bot: Bot, language: Language) -> Request:
    """Return the request with which a bot's model is asked for its second reply of the sample session."""
    said = zip(("user", "assistant", "user"), SAMPLE[language], strict=True)
    chat = [Message("system", bot.system(language)), *(Message(role, text) for role, text in said)]
    return as_bot(bot, Request(thread="", form=Form.CHAT, messages=chat, sampling=bot.sampling, seed=0, language=language))


def _about_bot(bot: Bot, language: Language) -> list[Finding]:
    findings = []
    if bot.stands_in:
        text = (
            "the instruction is practicum's own and stands in for one that the bot's authors send; --prompt FILE names your copy of theirs"
        )
        findings.append(Finding(level=Level.WARNING, text=text))
    if bot.prompts and language not in bot.prompts:
        findings.append(Finding(level=Level.WARNING, text=f"there is no instruction in {language}: none is sent"))
    return findings


def _listed(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


# ── raw completion ───────────────────────────────────────────────────────────────────────────────────────────────────


def _raw_text(request: Request) -> str:
    system, *lines = (message.content for message in request.messages)
    return TEMPLATES[request.template].fill(system, lines, request.cue)


def _check_raw(bot: Bot, request: Request, text: str, template: ChatTemplate | None, now: datetime, unknown: str) -> list[Finding]:
    if template is None:
        told = unknown or "the model's chat template is not known; give --template FILE"
        return [Finding(level=Level.WARNING, text=f"the marks are those of {bot.template!r}, taken on trust: {told}")]
    family = template_for(template.text)
    if family != bot.template:
        told = f'the marks are those of {bot.template!r}, the model\'s own template is of another kind; set prompt.template = "{family}"'
        return [Finding(level=Level.FAULT, text=told)]
    if bot.template == "plain":
        told = (
            'the text goes without marks; the model has a chat template of a kind that practicum does not write: form = "chat" would use it'
        )
        return [Finding(level=Level.WARNING, text=told)]
    system, *lines = request.messages
    chat = [system, Message("user", "\n".join(line.content for line in lines))]
    try:
        own = template.render([message for message in chat if message.content], now=now, begin=True)
    except TemplateFaultError as problem:
        return [Finding(level=Level.WARNING, text=f"the model's own template cannot be compared: {problem}")]
    # The mark at the very beginning is the tokenizer's business, whoever writes the rest.
    own, ours = own.removeprefix(template.bos), text.removesuffix(request.cue).removeprefix(template.bos)
    if own == ours:
        return [Finding(level=Level.OK, text=f"the marks ({bot.template}) are those of the model's own chat template, to the character")]
    return [
        Finding(level=Level.WARNING, text=f"the marks ({bot.template}) differ from the model's own chat template: {_difference(own, ours)}")
    ]


def _difference(own: str, ours: str) -> str:
    """Quote both texts where they part."""
    at = next((index for index, (one, other) in enumerate(zip(own, ours, strict=False)) if one != other), min(len(own), len(ours)))
    return f"it has {own[at : at + 60]!r} where the bot sends {ours[at : at + 60]!r}"


# ── chat ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refusal(messages: Sequence[Message], template: ChatTemplate, now: datetime, problem: TemplateFaultError) -> Finding:
    """Say what of a session a template refuses."""
    if messages[0].role == "system":
        try:
            template.render(messages[1:], now=now, begin=True)
        except TemplateFaultError:
            pass
        else:
            told = f'the model\'s template takes no system message ({problem}); send the instruction in a text (form = "transcript")'
            return Finding(level=Level.FAULT, text=told)
    return Finding(level=Level.FAULT, text=f"the model's template refuses the session: {problem}")


def _check_chat(messages: Sequence[Message], text: str, template: ChatTemplate, language: Language, now: datetime) -> list[Finding]:
    findings = [*_check_contents(messages, text)]
    if not findings:
        turns = "every message stands in the text once and in order; turns in alternation are accepted"
        findings.append(Finding(level=Level.OK, text=turns if len(messages) > 2 else "the whole text reaches the model once"))
    findings.append(_check_beginning(messages, text, template, language, now))
    return findings


def _check_contents(messages: Sequence[Message], text: str) -> list[Finding]:
    findings = []
    places = []
    for message in messages:
        content = message.content.strip()  # templates may strip
        times = text.count(content)
        if times == 1:
            places.append(text.index(content))
            continue
        what = "the instruction" if message.role == "system" else f"the {message.role}'s {content[:30]!r}"
        how = f"stands in the text {times} times" if times else "does not reach the model"
        advice = '; send it in a text (form = "transcript")' if message.role == "system" and not times else ""
        findings.append(Finding(level=Level.FAULT, text=f"{what} {how} through the model's template{advice}"))
    if any(before > after for before, after in pairwise(places)):
        findings.append(Finding(level=Level.FAULT, text="the model's template changes the order of the messages"))
    return findings


def _check_beginning(messages: Sequence[Message], text: str, template: ChatTemplate, language: Language, now: datetime) -> Finding:
    """Look whether the text ends where a reply begins: with what stands before the words of an assistant's message."""
    reply = _REPLY[language]
    try:
        answered = template.render([*messages, Message("assistant", reply)], now=now, begin=False)
        without = template.render(messages, now=now, begin=False).rstrip()
    except TemplateFaultError as problem:
        return Finding(level=Level.WARNING, text=f"whether the reply is begun cannot be told: {problem}")
    before = answered.partition(reply)[0].rstrip()
    end = text.rstrip()
    # Reasoning models: either text may hold an opened or empty thought that the other has not.
    begun = end.startswith(before) or (before.startswith(end) and end != without)
    if begun and before != answered.rstrip():
        return Finding(level=Level.OK, text="the text ends where the counselor's reply begins")
    told = "the model's template does not begin the reply: the model may go on with the client's words; look at add_generation_prompt in it"
    return Finding(level=Level.FAULT, text=told)


def sample_language(bot: Bot, language: Language | None) -> Language:
    """Return the language to check a bot in.

    Raises:
        ConfigError: The bot does not speak it.
    """
    if language is not None and language not in bot.languages:
        raise ConfigError(f"bot {bot.name} speaks {' and '.join(bot.languages)}, not {language}; leave --language out")
    return language or bot.languages[0]
