"""Bots as data: a TOML file that says which model answers, what it is shown, and how its next word is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from practicum.core import Form, Language, Speaker
from practicum.engine import Section, Text

Unknown = Literal["unknown"]
"""Stands for what the source of a bot does not state; the model's own default is used."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class About(Section):
    """What a bot is, in a sentence of each language."""

    zh: Text = ""
    en: Text = ""


class SourceOfModel(Section):
    """Where the weights come from."""

    weights: Text = ""
    """Repository or service, e.g. `qiuhuachuan/MeChat`; "": any model will do."""
    family: Text = ""
    """What the weights were made from, e.g. ChatGLM2-6B."""
    licence: Text | Unknown = ""
    """SPDX identifier or free text, of the weights."""
    note: Text = ""


class ModelConfig(Section):
    """The model that answers."""

    name: Text
    """`BACKEND:NAME[@ADDRESS]`, as everywhere, but no `bot:`."""
    key: Text | None = None
    """Name of the environment variable that holds the key, never the key."""
    lora: Path | None = None
    """A GGUF adapter (`local:` only; on vLLM an adapter is a model name). Relative to the bot file."""
    own: bool = False
    """Asked through the model's own `.chat()` (`hf:` with remote code: ChatGLM, InternLM2); over HTTP the server does the same."""
    trust_remote_code: bool = False
    """The model comes with Python code; it is run only if the user says so too (`--trust-remote-code`)."""
    dtype: Text | Unknown = ""
    """What the weights are loaded in (`hf:`): float16, bfloat16, auto; "": not stated."""


class PromptConfig(Section):
    """What the model is shown."""

    form: Form | None = None
    """chat: turns as messages. transcript: one text with labels. None: what the model needs (the catalog knows)."""
    text: Text = ""
    """The instruction: `bundled:NAME` (a prompt of practicum's), or a file, relative to the bot file; "": none is sent."""
    stands_in: bool = False
    """The bot's authors send a text of their own here, which practicum does not ship; ours stands in until `--prompt` names theirs."""
    labels: dict[Speaker, Text] | None = None
    """What stands before each side's words in a transcript; None: practicum's own of the language."""
    heading: Text = ""
    """A line between the instruction and the transcript."""
    cue: Text | None = None
    """The line that asks for the reply; None: the counselor's label."""
    raw: bool = False
    """The transcript goes to raw completion, not as one user message. Always so where the catalog says that a model needs a transcript."""
    template: Text = ""
    """Marks around a raw transcript: chatml, llama3 or plain; "": what fits the model."""
    window: Annotated[int, Field(ge=1, le=10_000)] | Unknown | None = None
    """Only so many of the last exchanges are shown; None: the whole session."""


class DecodingConfig(Section):
    """How the next token is drawn. What is left out or "unknown" is left to the model's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] | Unknown | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | Unknown | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | Unknown | None = None
    stop: tuple[Text, ...] | Unknown = ()
    seed: Unknown | None = None
    """Every call of practicum's has a seed of its own; the origin's may not have had one."""
    own: dict[str, Any] = {}
    """Parameters that the model's own `.chat()` takes besides; a server has no word for them."""
    caller: tuple[Literal["temperature", "top_p"], ...] = ()
    """What a caller of the gateway may set; a bot's decoding is its own otherwise."""


class ReplyConfig(Section):
    """What is done to a reply before anybody sees it."""

    strip_label: bool = False
    """Take off a role label at its beginning."""
    first_paragraph: bool = False
    """Keep the first line that is not blank."""


class BotFile(Section):
    """A bot, as its file says it."""

    name: Name
    about: About = About()
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    source: SourceOfModel = SourceOfModel()
    model: ModelConfig
    prompt: PromptConfig = PromptConfig()
    decoding: DecodingConfig = DecodingConfig()
    reply: ReplyConfig = ReplyConfig()


def read_bot(path: Path) -> BotFile:
    """Read a bot file; its relative paths (`prompt.text`, `model.lora`, a GGUF file of `model.name`) come back resolved against its folder.

    Raises:
        ConfigError: The file cannot be read or a field will not do, one line for each mistake.
    """
    raise NotImplementedError


def bundled_bots() -> list[BotFile]:
    """Return the bots that come with the package, sorted by name."""
    raise NotImplementedError


def find_bot(name: str) -> BotFile:
    """Return a bot by the name of a bundled one, or by the path of a file that ends in `.toml`.

    Raises:
        ConfigError: There is none; the message lists the known ones.
    """
    raise NotImplementedError
