"""What the gateway is asked to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from practicum.core import Language
from practicum.engine import CallsConfig, Section, Text

Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]


class BannerConfig(Section):
    """What is done when a caller's words trip the risk detector."""

    on: bool = True
    """Precede the bot's reply with crisis resources, unless the request says `X-Practicum-Banner: off`. The header comes in any case."""
    country: Text = "international"
    """Two-letter code (CN, US, GB …) or `international`; `practicum serve --help` lists them."""


class BoundsConfig(Section):
    """What one request may be."""

    body: Positive = 1_048_576
    """Bytes of a request's body."""
    messages: Positive = 1_000
    """Messages of a request."""
    characters: Positive = 200_000
    """Characters of all messages together."""


class ServeConfig(CallsConfig):
    """The gateway."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """0: any free port."""
    bots: tuple[Text, ...] = ()
    """Names or files; none: every bundled bot of practicum's own."""
    models: Mapping[str, Text] = Field(default_factory=dict)
    """Bots' names to the models that they answer with here, in place of their files'; `*` for all."""
    prompts: Mapping[str, Text] = Field(default_factory=dict)
    """Bots' names to your own copies of their instructions."""
    clients: Text | None = None
    """A run, or a file of profiles, whose clients are served as `client/PROFILE_ID`."""
    client_model: Text | None = None
    """The model that plays the clients; none: the run's."""
    language: Language | None = None
    """Of every conversation; none: told from each caller's words."""
    queue: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    """Requests that may wait for a place; one more is answered 429."""
    wait: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds that a request waits for a place at most."""
    grace: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """Seconds that requests under way are given when the gateway is stopped."""
    banner: BannerConfig = BannerConfig()
    bounds: BoundsConfig = BoundsConfig()
    log: Literal["requests", "errors"] = "requests"
