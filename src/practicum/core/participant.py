"""Who takes part in a session: a role, a model, a prompt and how it is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from practicum.core.keys import digest_of


class Speaker(StrEnum):
    """The two chairs of a session."""

    CLIENT = "client"
    COUNSELOR = "counselor"

    @property
    def other(self) -> Speaker:
        """The one across."""
        return Speaker.COUNSELOR if self is Speaker.CLIENT else Speaker.CLIENT


class Form(StrEnum):
    """How a session is put before a model."""

    CHAT = "chat"
    """Every turn is a message; the model's own turns are the assistant's."""
    TRANSCRIPT = "transcript"
    """The session so far is one labelled text, the reply begun with the speaker's label (raw completion)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is drawn. The defaults are the paper's (Qiu & Lan 2024)."""

    temperature: float | None = 1.0
    """0 to 2; 0 is greedy. None, here and below: the model's or its server's own default."""
    top_p: float | None = 1.0
    """Above 0, up to 1."""
    max_tokens: int | None = 500
    """Most tokens of one reply, reasoning included; at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRef:
    """Names a prompt text without carrying it."""

    id: str
    """A bundled id (`client.plain.zh.chat`) or the user's file name."""
    digest: str
    """Digest of the template's text (`text_digest`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One identity in every table: what it says is determined by these, and by nothing else."""

    role: str
    """client, counselor, supervisor."""
    model: str
    """`BACKEND:NAME`, without any address or key."""
    form: Form
    prompts: tuple[PromptRef, ...]
    """One per language that it can speak, sorted by id."""
    sampling: Sampling
    template: str = ""
    """Name of the raw-completion template (transcript form only): chatml, llama3, plain."""

    @property
    def digest(self) -> str:
        """16 hex digits over all of the above: the identity."""
        return digest_of(asdict(self))
