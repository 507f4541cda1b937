"""A bot file becomes a bot that can speak: its model, adapter and prompts found, its digest made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from practicum.backends import TEMPLATES, ModelName, read_model_name
from practicum.build.models import ModelSource, find_source, with_lora
from practicum.build.prompting import prompts_for
from practicum.core import Form, Language, Sampling, Speaker, digest_of
from practicum.engine import HfConfig
from practicum.errors import ConfigError
from practicum.roles import Prompt
from practicum.serve import Bot, BotFile

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBot:
    """A bot, its file, and the model behind it."""

    bot: Bot
    file: BotFile
    source: ModelSource

    @property
    def model(self) -> ModelName:
        """The model's name."""
        return self.source.name

    @property
    def weights(self) -> Path | None:
        """The file of a local model."""
        return self.source.weights


def make_bot(file: BotFile, *, model: str | None = None, prompt: str | None = None) -> MadeBot:
    """Resolve every name of a bot file.

    Args:
        file: The bot.
        model: Answers in place of the file's model.
        prompt: `bundled:NAME` or a file, in place of the file's instruction: the user's own copy of what the bot's authors send.

    Raises:
        ConfigError: A name cannot be resolved.
        ModelFileError: The weights of a local model are not on this machine.
    """
    source = _find_model(file, model)
    shown = file.prompt
    form = shown.form or source.form
    raw = form is Form.TRANSCRIPT and (shown.raw or source.form is Form.TRANSCRIPT)
    template = shown.template or source.template
    if template not in TEMPLATES:
        raise ConfigError(f"bot {file.name}: prompt.template: {template!r} is not one of {', '.join(TEMPLATES)}")
    text = prompt or shown.text
    prompts = prompts_for(Speaker.COUNSELOR, form, Path(text), file.languages) if text else {}
    sampling = Sampling(
        temperature=_stated(file.decoding.temperature), top_p=_stated(file.decoding.top_p), max_tokens=_stated(file.decoding.max_tokens)
    )
    bot = Bot(
        name=file.name,
        digest="",
        languages=file.languages,
        about=file.about.model_dump(),
        form=form,
        raw=raw,
        template=template if raw else "plain",
        prompts=prompts,
        stands_in=shown.stands_in and not prompt,
        labels=shown.labels,
        heading=shown.heading,
        cue=shown.cue,
        window=_stated(shown.window),
        sampling=sampling,
        stop=_stated(file.decoding.stop) or (),
        own=file.decoding.own if file.model.own and source.name.backend == "hf" else None,
        caller=file.decoding.caller,
        strip_label=file.reply.strip_label,
        first_paragraph=file.reply.first_paragraph,
        lora=str(source.lora or ""),
    )
    return MadeBot(bot=replace(bot, digest=_digest(bot, source, prompts)), file=file, source=source)


def refuse_untrusted(made: MadeBot, hf: HfConfig) -> None:
    """Refuse a bot whose model comes with code that the user has not agreed to.

    Raises:
        ConfigError: It is such a bot.
    """
    if made.source.name.backend == "hf" and made.source.remote_code and not hf.trust_remote_code:
        raise ConfigError(
            f"bot {made.bot.name}: its model {made.source.name.name} runs Python code of its own; "
            "read that code, then say --trust-remote-code"
        )


def _find_model(file: BotFile, model: str | None) -> ModelSource:
    source = find_source(read_model_name(model or file.model.name), key=None if model else file.model.key)
    if model:  # another model: the file's adapter, code and precision are not its
        return source
    if file.model.lora is not None:
        source = with_lora(source, file.model.lora)
    return replace(source, dtype=_stated(file.model.dtype) or "auto", remote_code=file.model.trust_remote_code)


def _stated(value: Any) -> Any:
    """Return a value, or None for what the bot's source does not state."""
    return None if value == UNKNOWN else value


def _digest(bot: Bot, source: ModelSource, prompts: Mapping[Language, Prompt]) -> str:
    """Digest all that determines what a bot says: not its name, its description or where its model runs."""
    kept = {
        name: getattr(bot, name)
        for name in ("form", "raw", "template", "heading", "cue", "window", "stop", "own", "strip_label", "first_paragraph")
    }
    return digest_of(
        {
            **kept,
            "labels": None if bot.labels is None else {str(speaker): label for speaker, label in bot.labels.items()},
            "model": source.identity,
            "prompts": {language: asdict(prompt.ref) for language, prompt in prompts.items()},
            "sampling": asdict(bot.sampling),
        }
    )
