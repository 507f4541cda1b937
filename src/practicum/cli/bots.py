"""`practicum bots`: counselors as data files: which there are, what one says, what its model will see, and a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from practicum.cli.console import colored, print_json, table, tell
from practicum.cli.options import MODEL, Json
from practicum.core import Language, Speaker
from practicum.errors import ConfigError

if TYPE_CHECKING:
    from practicum.serve import BotFile
    from practicum.serve.bot_check import BotCheck

bots = typer.Typer(
    name="bots", help="List, show, check and begin bots: counselors as data files.", no_args_is_help=True, rich_markup_mode=None
)

Bot = Annotated[str, typer.Argument(metavar="NAME", help="A name from `practicum bots list`, or a bot file (.toml).", show_default=False)]
Prompt = Annotated[Path | None, typer.Option("--prompt", metavar="FILE", help="Your copy of the instruction, in place of the bot's.")]
STANDS_IN = "our instruction stands in for its authors'"


@bots.command("list")
def list_bots(json: Json = False) -> None:
    """List the bots that come with the package."""
    from practicum.serve import bundled_bots

    found = bundled_bots()
    if json:
        print_json([bot.model_dump(mode="json") for bot in found])
        return
    rows = [
        (bot.name, ", ".join(bot.languages), bot.prompt.form or "the model's", bot.model.name, STANDS_IN if bot.prompt.stands_in else "")
        for bot in found
    ]
    for line in table(("name", "languages", "form", "model", "note"), rows):
        print(line.rstrip())
    print("\nanywhere a model is named, bot:NAME is such a bot, bot:FILE.toml one of yours; `practicum bots new` begins one")


@bots.command()
def show(name: Bot, json: Json = False) -> None:
    """Show what a bot's file says: its model, what it is shown, how its words are drawn."""
    from practicum.serve import find_bot

    bot = find_bot(name)
    if json:
        print_json(bot.model_dump(mode="json"))
        return
    rows = [(key, value) for key, value in _facts(bot) if value]
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        print(f"{key:{width}}  {value}")
    if "unknown" in {value.partition(" ")[0] for _, value in rows}:
        print("\nunknown: its source does not say; the model's own default is used")


def _facts(bot: BotFile) -> Iterator[tuple[str, str]]:
    source, model, prompt, decoding = bot.source, bot.model, bot.prompt, bot.decoding
    yield "name", bot.name
    yield from (("about", text) for text in (bot.about.zh, bot.about.en))
    yield "languages", ", ".join(bot.languages)
    yield "weights", source.weights + (f" (from {source.family})" if source.family else "")
    yield "licence", source.licence
    yield "note", source.note
    yield "model", model.name
    yield "adapter", str(model.lora or "")
    yield "asked by", "the model's own .chat(), code that comes with it" if model.own else ""
    yield "dtype", model.dtype
    yield "form", prompt.form or "what the model needs"
    yield "instruction", (prompt.text or "none") + (f" ({STANDS_IN}; --prompt takes theirs)" if prompt.stands_in else "")
    yield "heading", prompt.heading
    if prompt.labels is not None:
        yield "labels", " / ".join(prompt.labels[speaker] for speaker in Speaker)
    yield "cue", prompt.cue or ""
    yield "shown", f"the last {prompt.window} exchanges" if isinstance(prompt.window, int) else prompt.window or "the whole session"
    for name in ("temperature", "top_p", "max_tokens"):
        value = getattr(decoding, name)
        yield name, "the model's own" if value is None else str(value)
    yield "stops", decoding.stop if isinstance(decoding.stop, str) else ", ".join(map(repr, decoding.stop))
    yield "seed", decoding.seed or ""
    yield "besides", ", ".join(f"{name} = {value}" for name, value in decoding.own.items())
    yield "callers may set", ", ".join(decoding.caller)
    done = (("its role label taken off", bot.reply.strip_label), ("only the first paragraph kept", bot.reply.first_paragraph))
    yield "replies", ", ".join(text for text, on in done if on) or "as they come"


@bots.command()
def check(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names from `practicum bots list`, or bot files (.toml).", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help=f"What they answer with, in place of their own: {MODEL}")
    ] = None,
    prompt: Prompt = None,
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            metavar="FILE",
            help="The model's chat template, where it cannot be found: chat_template.jinja, tokenizer_config.json, .gguf, or a folder.",
        ),
    ] = None,
    language: Annotated[Language | None, typer.Option("--language", help="Of the sample session; default: the bot's first.")] = None,
    json: Json = False,
) -> None:
    """Show what a bot's model will see of a sample session, and verify the model's own chat template against it.

    No model is asked. Exits with 1 if the model would not see what the bot means it to see.
    """
    from practicum.serve import find_bot

    checked = [_check(find_bot(name), model, prompt, template, language) for name in names]
    if json:
        print_json([{**told, "seen": found.seen, "marked": found.marked, "findings": found.findings} for told, found in checked])
    else:
        for told, found in checked:
            _print_check(told, found)
    if not all(found.sound for _, found in checked):
        raise typer.Exit(1)


def _check(
    file: BotFile, model: str | None, prompt: Path | None, template: Path | None, language: Language | None
) -> tuple[dict[str, Any], BotCheck]:
    from practicum.build import make_bot
    from practicum.serve.bot_check import check_bot, sample_language, sample_request
    from practicum.serve.chat_template import find_template, read_template_file

    made = make_bot(file, model=model, prompt=None if prompt is None else str(prompt))
    bot = made.bot
    language = sample_language(bot, language)
    found = read_template_file(template) if template else find_template(made.model, made.weights)
    why, its_own = (found, None) if isinstance(found, str) else ("", found)
    own = file.model.own and template is None
    checked = check_bot(bot, its_own, language=language, now=datetime.now(UTC).astimezone(), unknown=why, own=own)
    request = sample_request(bot, language)
    told = {
        "bot": bot.name,
        "digest": bot.digest,
        "model": made.model.identity,
        "language": language,
        "form": bot.form,
        "raw": bot.raw,
        "decoding": request.sampling,
        "stop": request.stop,
        "own": bot.own,
    }
    return told, checked


def _print_check(told: dict[str, Any], found: BotCheck) -> None:
    how = "raw text" if told["raw"] else f"{told['form']} form"
    print(colored(f"bot/{told['bot']} on {told['model']}, {how}, {told['language']}", "", bold=True))
    print("" if found.marked else "(the messages that are sent; the marks around them are the server's)\n")
    print("\n".join(f"  {line}".rstrip() for line in found.seen.split("\n")))
    drawn = told["decoding"]
    parts = [f"{name} {value}" for name in ("temperature", "top_p", "max_tokens") if (value := getattr(drawn, name)) is not None]
    own = [f"{name} {value}" for name, value in (told["own"] or {}).items()]
    stops = f"; stops at {', '.join(map(repr, told['stop']))}" if told["stop"] else ""
    print(f"\ndrawn with {', '.join([*parts, *own]) or 'the defaults of the model'}{stops}")
    colors = {"ok": "green", "warning": "yellow", "fault": "red"}
    for finding in found.findings:
        print(f"{colored(f'{finding.level:7}', colors[finding.level])}  {finding.text}")
    print()


@bots.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.", show_default=False)],
    origin: Annotated[
        str | None, typer.Option("--from", metavar="BOT", help="Begin with this bot; default: practicum's integrative.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help=f"What answers: {MODEL}")] = None,
    prompt: Prompt = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: NAME.toml.")] = None,
) -> None:
    """Begin a bot file of your own, with every key in it and what each means."""
    from practicum.serve import find_bot
    from practicum.serve.bot_file import validate_bot
    from practicum.serve.bot_text import bot_text

    if origin is None and model is None:
        raise ConfigError("give --from BOT to begin with a bot, or --model MODEL to begin with a model")
    path = out or Path(f"{name}.toml")
    if path.suffix != ".toml":
        raise ConfigError(f"--out {path}: expected a name that ends in .toml, which is how a bot file is known")
    tree = find_bot(origin or "integrative").model_dump(exclude_unset=True)
    tree["name"] = name
    if origin is None:
        del tree["about"]
    if model is not None:  # another model: the adapter, the code and the precision of the first are not its
        tree["model"] = {"name": model}
        tree.pop("source", None)
    if prompt is not None:
        tree["prompt"] = {**tree.get("prompt", {}), "text": str(prompt), "stands_in": False}
    bot = _placed(validate_bot(tree, f"bot {name}"), path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(bot_text(bot))
    except FileExistsError:
        raise ConfigError(f"{path} is there already; give another name, or --out FILE") from None
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be written: {problem.strerror}") from None
    print(path)
    tell(f"`practicum bots check {path}` shows what its model will see; `practicum serve --bots {path}` serves it")


def _placed(bot: BotFile, folder: Path) -> BotFile:
    """Return a bot whose files are named as seen from a folder."""
    from practicum.serve.bot_file import files_of

    return files_of(bot, lambda path: Path(os.path.relpath(path, folder)))
