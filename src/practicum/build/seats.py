"""One chair each: a configured model or bot becomes a participant with its prompts, every name resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from practicum.backends import TEMPLATES, ModelName, read_model_name
from practicum.build.bots import MadeBot, make_bot
from practicum.build.models import ModelSource, find_source
from practicum.build.prompting import prompts_for
from practicum.core import Form, Language, Participant, Profile, PromptRef, Sampling, Speaker
from practicum.engine import ChairConfig
from practicum.errors import ConfigError
from practicum.roles import Prompt
from practicum.serve import Bot, find_bot

BOTS_OWN = ("form", "template", "temperature", "top_p", "max_tokens")
"""Keys of a chair that a bot's file decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One side of the table, every name resolved."""

    role: str
    """client, counselor, supervisor."""
    config: ChairConfig
    source: ModelSource
    """The model: for a bot, the one behind it."""
    participant: Participant
    prompts: Mapping[Language, Prompt]
    """Empty for a bot that is given no instruction."""
    bot: Bot | None = None

    @property
    def model(self) -> ModelName:
        """The model's name."""
        return self.source.name

    @property
    def weights(self) -> Path | None:
        """The file of a local model."""
        return self.source.weights

    @property
    def asked_in(self) -> Form:
        """The form in which the model itself is asked."""
        if self.bot is None:
            return self.participant.form
        return Form.TRANSCRIPT if self.bot.raw else Form.CHAT

    def render(self, profile: Profile, max_exchanges: int) -> str:
        """Return the system prompt for a session with this client; only the client's own side is given the profile."""
        if self.bot is not None:
            return self.bot.system(profile.language, max_exchanges)
        story = {"profile": profile.text, "facts": profile.facts} if self.role == Speaker.CLIENT else {}
        return self.prompts[profile.language].render(language=profile.language, max_exchanges=max_exchanges, **story)


def take_seat(role: str, config: ChairConfig, *, more: Iterable[PromptRef] = ()) -> Seat:
    """Resolve model or bot, key, form, template and prompts of one chair.

    Args:
        role: client, counselor, supervisor.
        config: The chair.
        more: Prompts that the role uses besides, for its identity.

    Raises:
        ConfigError: One of them cannot be had.
        ModelFileError: The weights of a local model are not on this machine.
    """
    model = read_model_name(config.model)
    if model.backend == "bot":
        return _seat_bot(role, config, model.name)
    source = find_source(model, key=config.key)
    form = config.form or source.form
    template = config.template or source.template
    if template not in TEMPLATES:
        raise ConfigError(f"{role}.template: {template!r} is not one of {', '.join(TEMPLATES)}")
    prompts = prompts_for(role, form, config.prompt)
    participant = Participant(
        role=role,
        model=source.identity,
        form=form,
        prompts=tuple(sorted({*more, *(prompt.ref for prompt in prompts.values())}, key=lambda ref: ref.id)),
        sampling=Sampling(temperature=config.temperature, top_p=config.top_p, max_tokens=config.max_tokens),
        template=template if form is Form.TRANSCRIPT else "",
    )
    return Seat(role=role, config=config, source=source, participant=participant, prompts=prompts)


def _seat_bot(role: str, config: ChairConfig, name: str) -> Seat:
    if role != Speaker.COUNSELOR:
        raise ConfigError(f"{role}.model: bot:{name} is a counselor and cannot be a {role}; name a model")
    if given := [key for key in BOTS_OWN if key in config.model_fields_set]:
        raise ConfigError(
            f"{role}.{given[0]}: bot:{name} decides that itself; "
            f"`practicum bots new NAME --from {name}` writes a bot file of your own to change"
        )
    return seat_made(config, make_bot(find_bot(name), prompt=None if config.prompt is None else str(config.prompt)))


def seat_made(config: ChairConfig, made: MadeBot) -> Seat:
    """Return the counselor's chair with a bot on it."""
    bot = made.bot
    participant = Participant(
        role=Speaker.COUNSELOR,
        model=f"bot:{bot.name}#{bot.digest}",
        form=Form.CHAT,  # to whoever asks; what its model is shown is in the digest
        prompts=tuple(sorted({prompt.ref for prompt in bot.prompts.values()}, key=lambda ref: ref.id)),
        sampling=bot.sampling,
    )
    return Seat(role=Speaker.COUNSELOR, config=config, source=made.source, participant=participant, prompts=bot.prompts, bot=bot)
