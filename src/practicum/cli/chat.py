"""`practicum chat`: a person talks to a bot, or counsels a simulated client; and single replies for scripts."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from practicum.cli.console import count, print_json, tell
from practicum.cli.options import (
    DEFAULT_DB,
    MODEL,
    Config,
    Db,
    Json,
    MaxExchanges,
    Run,
    Seed,
    Settings,
    TrustRemoteCode,
    db_option,
    shown_url,
)
from practicum.cli.simulate import refuse_memory
from practicum.core import Language, Speaker
from practicum.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from practicum.build.answers import Answer
    from practicum.build.chat import ChatResult
    from practicum.build.chat_plan import ChatPlan
    from practicum.core import Message


def chat(  # noqa: PLR0913 - one parameter an option
    who: Annotated[
        str | None,
        typer.Argument(
            metavar="BOT|MODEL",
            help=f"bot/NAME, a bot file (.toml), or a model, which then counsels as bot/integrative: {MODEL} "
            "With --as counselor: the model that plays the client; default: local:qwen2.5-coder-1.5b.",
            show_default=False,
        ),
    ] = None,
    *,
    chair: Annotated[Speaker, typer.Option("--as", help="The chair that you sit on.")] = Speaker.CLIENT,
    client: Annotated[
        str | None, typer.Option("--client", metavar="PROFILE", help="Whom you counsel: a profile's id, or its number from 1.")
    ] = None,
    profiles: Annotated[
        str | None, typer.Option("--profiles", metavar="FILE|RUN", help="Where the profile is; default: those that come with practicum.")
    ] = None,
    show_profile: Annotated[bool, typer.Option("--show-profile", help="Show the client's story before the session.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="What the bot answers with, in place of its file's model.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="FILE", help="Your copy of the bot's instruction, where ours stands in.")
    ] = None,
    language: Annotated[
        Language | None, typer.Option("--language", help="Default: told from your first words; with --as counselor, the profile's own.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What you go by in the store; default: person.")] = None,
    save: Annotated[bool, typer.Option("--save", help="As the client: keep the session from your first words on.")] = False,
    new: Annotated[bool, typer.Option("--new", help="As the counselor: begin anew, even if a session is unfinished.")] = False,
    run: Run = None,
    max_exchanges: MaxExchanges = None,
    country: Annotated[
        str, typer.Option("--country", metavar="CODE", help="Whose crisis lines are shown when your words speak of risk, e.g. CN, US.")
    ] = "international",
    no_banner: Annotated[bool, typer.Option("--no-banner", help="Show no crisis lines.")] = False,
    message: Annotated[
        str | None, typer.Option("--message", metavar="TEXT", help="Print the reply to this and leave; - reads it from standard input.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", metavar="FILE", help="What was said before --message: a JSON list of messages.")
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option("--messages", metavar="FILE", help="Answer many: a JSON line each with a list 'messages'; JSON lines come out."),
    ] = None,
    seed: Seed = None,
    trust_remote_code: TrustRemoteCode = False,
    db: Db = DEFAULT_DB,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Talk to a bot, or counsel a simulated client; /help lists the commands inside.

    As the client, nothing that you say is written to the disk before /save. As the counselor, every turn is kept; after a
    crash the same command goes on. Ctrl-C cuts a reply short.

    With --message or --messages: single replies, for scripts. Exits with 0, 1 if a reply could not be had, 2 if the command is
    wrong.
    """
    from practicum.build.chat_plan import ChatConfig, name_bot, plan_chat
    from practicum.engine import read_tree

    single = message is not None or messages is not None
    _refuse_nonsense(single=single, message=message, history=history, messages=messages, json=json)
    flags: dict[str, Any] = {
        "chair": str(chair),
        "model": model,
        "prompt": prompt,
        "language": language,
        "name": name,
        "profile": client,
        "profiles": profiles,
        "run": run,
        "max_exchanges": max_exchanges,
        "seed": seed,
        "hf.trust_remote_code": trust_remote_code or None,
    }
    if chair is Speaker.COUNSELOR:
        flags["client.model"] = who
    elif who is not None:
        named = name_bot(who)
        if model is not None and "model" in named:
            raise ConfigError(f"--model {model}: {who} is a model already; name a bot, e.g. bot/integrative --model {model}")
        flags |= named
    elif config is None:
        raise ConfigError("say whom to talk to, e.g. `practicum chat bot/integrative`; `practicum bots list` lists them")
    crisis = None if no_banner else _Crisis(country)
    plan = plan_chat(read_tree(ChatConfig, flags, file=config, settings=settings or ()), db=db)
    if single:
        raise typer.Exit(_answer(plan, crisis, message=message, history=history, messages=messages, json=json))
    if chair is Speaker.COUNSELOR or save:
        refuse_memory(db)
    _converse(plan, crisis, db, save=save, new=new, show_profile=show_profile)


def _refuse_nonsense(*, single: bool, message: str | None, history: Path | None, messages: Path | None, json: bool) -> None:
    if message is not None and messages is not None:
        raise ConfigError("--messages: holds the messages itself; give it or --message, not both")
    if history is not None and message is None:
        raise ConfigError("--history: is what was said before --message; give that too")
    if json and not single:
        raise ConfigError("--json: prints a single reply; give --message TEXT or --messages FILE")


class _Crisis:
    """Where help can be had in a country."""

    def __init__(self, country: str) -> None:
        self._country = country
        self("en")  # an unknown country is refused before anything is said

    def __call__(self, language: Language) -> str:
        from practicum.serve.crisis import crisis_text

        return crisis_text(self._country, language)


# ── a session ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _converse(plan: ChatPlan, crisis: _Crisis | None, db: str, *, save: bool, new: bool, show_profile: bool) -> None:
    from practicum.build.chat import hold_chat
    from practicum.cli.chat_terminal import ChatTerminal

    me = plan.config.chair
    language = plan.config.language if plan.profile is None else plan.profile.language
    terminal = ChatTerminal(me, language, crisis=crisis)
    for line in _introduction(plan, language, db, save=save, show_profile=show_profile):
        terminal.remark(line)
    with terminal.interrupts():
        result = hold_chat(plan, terminal, db=db, save=save, new=new)
    for line in _farewell(plan, result, terminal.language, db):
        terminal.remark(line)


def _introduction(plan: ChatPlan, language: Language | None, db: str, *, save: bool, show_profile: bool) -> list[str]:
    """Return what is to be known before the first word, in both languages where the session's is not known yet."""
    from practicum.cli.chat_texts import TEXTS

    lines = [_who(plan, language or "en")]
    for one in [language] if language else TEXTS:
        texts = TEXTS[one]
        kept = "kept" if plan.profile is not None or save else "unsaved"
        lines.append(texts["not_therapy" if plan.profile is None else "practice"])
        lines.append(texts[kept].format(run=plan.name, db=shown_url(db)) + (" " if one == "en" else "") + texts["commands"])
    if show_profile and plan.profile is not None:
        lines += ["", TEXTS[language or "en"]["story"] + plan.profile.text]
    return [*lines, ""]


def _who(plan: ChatPlan, language: Language) -> str:
    """Return who is across: a client is told by what the person called them, for an id may tell the story."""
    from practicum.cli.chat_texts import TEXTS

    source = plan.seat.source
    where = f" at {', '.join(source.name.addresses)}" if source.name.addresses else ""
    if plan.made is None:
        return f"{TEXTS[language]['client']} {plan.config.profile} · {source.identity}{where}"
    note = "; our instruction stands in for its authors', --prompt takes theirs" if plan.made.bot.stands_in else ""
    return f"bot/{plan.made.bot.name} · {source.identity}{where}{note}"


def _farewell(plan: ChatPlan, result: ChatResult, language: Language | None, db: str) -> list[str]:
    from practicum.cli.chat_texts import ENDINGS, TEXTS

    language = language or "en"
    texts = TEXTS[language]
    if result.ending is None:
        return ["", texts["nothing_said"]]
    ending = ENDINGS[language][result.ending]
    lines = ["", ending.format(count=result.exchanges, exchanges=count(result.exchanges, "exchange"))]
    if not result.run:
        return [*lines, texts["not_kept"]]
    option = db_option(db)
    return [
        *lines,
        texts["saved_in"].format(run=result.run),
        f"  practicum show {result.run} {result.key[:8]}{option}",
        f"  practicum export {result.run} --format jsonl --out practicum-export{option}",
    ]


# ── single replies ───────────────────────────────────────────────────────────────────────────────────────────────────


def _answer(plan: ChatPlan, crisis: _Crisis | None, *, message: str | None, history: Path | None, messages: Path | None, json: bool) -> int:
    """Print the replies; return the exit status."""
    from practicum.build.answers import answer_all, read_talks

    if messages is not None:
        talks, left_out = read_talks(_read(messages), str(messages))
        _tell_left_out(left_out)
        failed = answer_all(plan, talks, lambda answer: print_json(_as_json(answer), indent=False), notify=tell)
        if failed:
            tell(f"practicum: {failed:,} of {count(len(talks), 'answer')} could not be had; 'error' says why")
        return int(failed > 0)
    answers: list[Answer] = []
    talk = _one_talk(message or "", history)
    failed = answer_all(plan, [talk], answers.append, notify=tell)
    if json:
        print_json(_as_json(answers[0]))
        return int(failed > 0)
    if failed:
        raise BackendError(answers[0].error, kind="reply")
    if answers[0].risk and crisis is not None and plan.config.chair is Speaker.CLIENT:
        from practicum.core import guess_language

        tell(crisis(plan.config.language or guess_language(talk[-1].content)))
    print(answers[0].reply)
    return 0


def _one_talk(message: str, history: Path | None) -> Sequence[Message]:
    from practicum.build.answers import read_messages
    from practicum.core import Message

    before: list[Message] = []
    if history is not None:
        before, left_out = read_messages(_read(history), str(history), last="assistant")
        _tell_left_out(left_out)
    text = sys.stdin.read() if message == "-" else message
    if not text.strip():
        raise ConfigError("--message: is blank; give what is to be answered")
    return [*before, Message("user", text.strip())]


def _tell_left_out(systems: int) -> None:
    if systems:
        tell(f"note: {count(systems, 'system message')} left out: the bot has its own instruction")


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read ({problem.strerror}); give the path of a JSON file") from None


def _as_json(answer: Answer) -> dict[str, Any]:
    fields = asdict(answer)
    if not fields["error"]:
        del fields["error"]
    return fields
