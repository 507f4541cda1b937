"""A chat planned: who sits across from the person, every name resolved, and what the store is to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from practicum.backends import LOCAL_SAMPLERS, read_model_name
from practicum.build.bots import MadeBot, make_bot, refuse_untrusted
from practicum.build.clients import find_clients
from practicum.build.prompting import prompts_for
from practicum.build.seats import Seat, seat_made, take_seat
from practicum.core import (
    LANGUAGES,
    Form,
    Language,
    Participant,
    Profile,
    Sampling,
    Source,
    Speaker,
    digest_of,
    session_key,
)
from practicum.core.version import VERSION
from practicum.dataset import bundled_profiles, read_profiles
from practicum.engine import ChairConfig, SessionsConfig, Text
from practicum.errors import ConfigError
from practicum.roles import Prompt
from practicum.serve import find_bot
from practicum.store import DEFAULT_URL, PlannedSession, PromptText, RunRecord

DEFAULT_BOT = "integrative"
"""As whom a bare model counsels."""
DEFAULT_CLIENT = "local:qwen2.5-coder-1.5b"
"""What plays a client where nothing else is said: it fits on any machine."""
STEADY: Mapping[str, Any] = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 120}
"""For a client played by a local model, unless said otherwise: small ones ramble and drift at the paper's temperature of 1."""
SHOWN = 20
"""Profiles that a message lists."""

_STORIES: Mapping[Language, str] = {
    "zh": "一位真人（{name}）在终端里与咨询机器人交谈，没有事先写好的故事。",
    "en": "A real person ({name}) talking to a bot in a terminal; no story was written beforehand.",
}
"""What stands in the place of a profile where the person is the client. {name}: what they go by."""


class ChatConfig(SessionsConfig):
    """A chat: a session with a person on one chair."""

    chair: Speaker = Speaker.CLIENT
    """The person's."""
    name: Annotated[Text, Field(min_length=1, max_length=64)] = "person"
    """What the person goes by: `person:NAME` in every table."""
    bot: Text = DEFAULT_BOT
    """Whom the person on the client's chair talks to: a bot's name, or its file."""
    model: Text | None = None
    """What the bot answers with; none: its file's model."""
    prompt: Text | None = None
    """The user's own copy of the bot's instruction: a file, or `bundled:NAME`."""
    client: ChairConfig | None = None
    """What plays the client, where the person is the counselor; none: the run's model, or a small local one."""
    profile: Text | None = None
    """Who the client is: a profile's id, or its number from 1."""
    profiles: Text | None = None
    """A file of profiles, or a run; none: those that come with the package."""


def name_bot(who: str) -> dict[str, str]:
    """Return the keys of `ChatConfig` for what a person may call a bot.

    `bot/NAME`, `bot:NAME`, `NAME`, a path that ends in `.toml`, or a model's name: that model counsels as `integrative`.
    """
    for prefix in ("bot/", "bot:"):
        if who.startswith(prefix):
            return {"bot": who.removeprefix(prefix)}
    return {"bot": who} if ":" not in who or who.endswith(".toml") else {"bot": DEFAULT_BOT, "model": who}


@dataclass(frozen=True, kw_only=True)
class ChatPlan:
    """A chat that can begin: nothing in it is left to look up."""

    config: ChatConfig
    seat: Seat
    """The model's side."""
    export_prompts: Mapping[Language, Prompt]
    """The counselor's prompt in chat form, for exports."""
    profile: Profile | None = None
    """The simulated client; None: the person is the client, see `story`."""
    made: MadeBot | None = None
    """The bot that the person talks to."""

    @property
    def participants(self) -> Mapping[Speaker, Participant]:
        """Who sits where."""
        chair = self.config.chair
        sampling = Sampling(temperature=None, top_p=None, max_tokens=None)
        person = Participant(role=chair, model=f"person:{self.config.name}", form=Form.CHAT, prompts=(), sampling=sampling)
        return {chair: person, chair.other: self.seat.participant}

    @property
    def identity(self) -> Mapping[str, Any]:
        """What all chats of a run have in common; see `practicum.build.Plan.identity`."""
        config, seat = self.config, self.seat
        return {
            "client": asdict(self.participants[Speaker.CLIENT]),
            "counselor": asdict(self.participants[Speaker.COUNSELOR]),
            "export_prompts": {language: asdict(prompt.ref) for language, prompt in self.export_prompts.items()},
            "language": "each profile's own",
            "max_exchanges": config.max_exchanges,
            "ending": config.ending.model_dump(mode="json"),
            "check": config.check.model_dump(mode="json"),
            "stop_on_risk": config.stop_on_risk,
            "seed": config.seed,
            "samplers": {str(config.chair.other): LOCAL_SAMPLERS[seat.asked_in]} if seat.weights is not None else {},
        }

    @property
    def name(self) -> str:
        """The run's name: the user's, or one derived from the identity, so that chats of the same two come together."""
        return self.config.run or f"chat-{digest_of(self.identity)[:8]}"

    def story(self, language: Language) -> Profile:
        """Return the profile of the session's client; for a person it says no more than that they are one."""
        if self.profile is not None:
            return self.profile
        name = self.config.name
        text = _STORIES[language].format(name=name)
        return Profile(id=f"person-{name}", text=text, language=language, source=Source(origin="chat"))

    def session(self, profile: Profile, number: int) -> PlannedSession:
        """Return the n-th session with this client."""
        client, counselor = (self.participants[speaker].digest for speaker in Speaker)
        return PlannedSession(
            key=session_key(identity=digest_of(self.identity), profile=profile, number=number),
            profile=profile,
            case=digest_of([profile.id, profile.digest, client, counselor]),
            number=number,
            client=client,
            counselor=counselor,
            seed=self.config.seed,
        )

    def record(self, name: str) -> RunRecord:
        """Return what the store keeps of the run."""
        prompts = [*self.seat.prompts.values(), *self.export_prompts.values()]
        chair = {str(self.config.chair.other): self.seat.config.model_dump(mode="json")}
        return RunRecord(
            name=name,
            identity=self.identity,
            settings={**self.config.model_dump(mode="json"), **chair},
            version=VERSION,
            participants=tuple(self.participants.values()),
            prompts=tuple({prompt.ref: PromptText(id=prompt.id, text=prompt.text) for prompt in prompts}.values()),
        )


def plan_chat(config: ChatConfig, *, db: str = DEFAULT_URL) -> ChatPlan:
    """Resolve every name of a chat.

    Args:
        config: The chat.
        db: The store, in which the run of `profiles` may be.

    Raises:
        ConfigError: A bot, model, prompt, key, profile or file cannot be had.
        ModelFileError: The weights of a local model are not on this machine.
    """
    return _plan_bot(config) if config.chair is Speaker.CLIENT else _plan_client(config, db)


def _plan_bot(config: ChatConfig) -> ChatPlan:
    if config.profile or config.profiles or config.client:
        raise ConfigError("profile: there is no simulated client where you are the client; --as counselor puts you before one")
    made = make_bot(find_bot(config.bot), model=config.model, prompt=config.prompt)
    refuse_untrusted(made, config.hf)
    seat = seat_made(ChairConfig(model=f"bot:{config.bot}"), made)
    text = config.prompt or made.file.prompt.text
    own = prompts_for(Speaker.COUNSELOR, Form.CHAT, Path(text), made.bot.languages) if text else {}
    return ChatPlan(config=config, seat=seat, made=made, export_prompts={**_usual_prompts(), **own})


def _usual_prompts() -> Mapping[Language, Prompt]:
    return prompts_for(Speaker.COUNSELOR, Form.CHAT, None, LANGUAGES)


def _plan_client(config: ChatConfig, db: str) -> ChatPlan:
    if config.model or config.prompt:
        raise ConfigError("model: names what a bot answers with; say what plays the client as MODEL, e.g. --as counselor openai:gpt-4.1")
    profiles, chair = _find_clients(config, db)
    profile = choose(profiles, config.profile)
    if config.language is not None:
        profile = replace(profile, language=config.language)
    seat = take_seat(Speaker.CLIENT, chair)
    seat.render(profile, config.max_exchanges)  # a prompt that cannot be rendered is refused before the session begins
    return ChatPlan(config=config, seat=seat, profile=profile, export_prompts=_usual_prompts())


def _find_clients(config: ChatConfig, db: str) -> tuple[Sequence[Profile], ChairConfig]:
    """Return everybody whom the person may counsel, and what plays them."""
    chair = config.client
    if config.profiles is not None and not Path(config.profiles).exists():
        clients = find_clients(config.profiles, model=chair.model if chair else None, db=db)
        given = {key: getattr(chair, key) for key in chair.model_fields_set} if chair else {}
        return clients.profiles, clients.seat.config.model_copy(update=given)
    chair = chair or ChairConfig(model=DEFAULT_CLIENT)
    if read_model_name(chair.model).backend == "local":
        chair = chair.model_copy(update={key: value for key, value in STEADY.items() if key not in chair.model_fields_set})
    if config.profiles is not None:
        return read_profiles(Path(config.profiles)), chair
    languages = LANGUAGES if config.language is None else (config.language,)
    return [profile for language in languages for profile in bundled_profiles(language)], chair


def choose(profiles: Sequence[Profile], which: str | None) -> Profile:
    """Return a profile by its id, or by its number from 1.

    Raises:
        ConfigError: There is none, or nothing is said; the message lists what there is.
    """
    if which is not None:
        for profile in profiles:
            if profile.id == which:
                return profile
        if which.isascii() and which.isdigit() and 1 <= int(which) <= len(profiles):
            return profiles[int(which) - 1]
    shown = ", ".join(f"{number} {profile.id}" for number, profile in enumerate(profiles[:SHOWN], start=1))
    more = f" … {len(profiles) - SHOWN:,} more" if len(profiles) > SHOWN else ""
    problem = "is missing" if which is None else f"{which!r} is no profile's id or number"
    raise ConfigError(f"profile {problem}; --client takes one of: {shown}{more}")
