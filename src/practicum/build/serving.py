"""The gateway put together: bots and clients found, their models opened, the door kept until it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from practicum.backends import ChatBackend, HfBackend, LocalBackend, Notify, TransportError, find_key, open_transport
from practicum.build.backends import SPARE_FILES, Backends
from practicum.build.bots import MadeBot, make_bot, refuse_untrusted
from practicum.build.clients import Clients, find_clients
from practicum.build.models import ModelSource
from practicum.errors import ConfigError
from practicum.roles import Chair
from practicum.serve import BotBackend, BotFile, BotService, ClientService, ServeConfig, Service, bundled_bots, crisis_text, find_bot
from practicum.serve.services import Look
from practicum.store import DEFAULT_URL, raise_open_files

LOOK_SECONDS = 3.0
"""How long a model's server may take to say that it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """A gateway that can open: nothing in it is left to look up."""

    config: ServeConfig
    bots: tuple[MadeBot, ...]
    clients: Clients | None

    @property
    def sources(self) -> list[ModelSource]:
        """The models behind, one for each name that speaks."""
        return [*(made.source for made in self.bots), *([self.clients.seat.source] if self.clients else [])]


def plan_gateway(config: ServeConfig, *, db: str = DEFAULT_URL) -> GatewayPlan:
    """Resolve every name of a gateway's configuration.

    Raises:
        ConfigError: A bot, model, prompt, key, run or file cannot be had.
        ModelFileError: The weights of a local model are not on this machine.
    """
    crisis_text(config.banner.country, "en")
    files = [find_bot(name) for name in config.bots] or [bot for bot in bundled_bots() if not bot.source.weights]
    _refuse_twins(files)
    for kind, given in (("models", config.models), ("prompts", config.prompts)):
        if unknown := given.keys() - {file.name for file in files} - {"*"}:
            served = ", ".join(file.name for file in files)
            raise ConfigError(f"{kind}: {', '.join(sorted(unknown))} is not served; served: {served}")
    bots = tuple(make_bot(file, model=_of(config.models, file), prompt=config.prompts.get(file.name)) for file in files)
    for made in bots:
        refuse_untrusted(made, config.hf)
    clients = find_clients(config.clients, model=config.client_model, db=db) if config.clients else None
    if clients is None and config.client_model:
        raise ConfigError("client_model: there is no client to play; give --clients RUN or --clients PROFILES.json")
    return GatewayPlan(config=config, bots=bots, clients=clients)


def _of(given: Mapping[str, str], file: BotFile) -> str | None:
    return given.get(file.name) or given.get("*")


def _refuse_twins(files: list[BotFile]) -> None:
    names = [file.name for file in files]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"bots: two bots are called {twins[0]!r}; give one of them another name in its file")


def hold_gateway(
    plan: GatewayPlan,
    *,
    keys: Path | None = None,
    on_ready: Callable[[str], None],
    notify: Notify = lambda _: None,
) -> None:
    """Open the door and keep it open until SIGINT or SIGTERM.

    Args:
        plan: The gateway.
        keys: The file of API keys; none: there are none, and only this machine may call.
        on_ready: Told the base address once the gateway listens; its local models are loaded by then.
        notify: Told what the operator should know.

    Raises:
        ConfigError: It must not listen where it was told to without a key, or cannot.
    """
    from practicum.serve.keys import KeyRing
    from practicum.serve.server import refuse_to_listen

    ring = None if keys is None else KeyRing(keys)
    refuse_to_listen(plan.config, ring)

    async def main() -> None:
        from practicum.serve.app import make_app
        from practicum.serve.server import run_gateway

        backends = Backends(plan.config, plan.sources, notify, serving=True)
        try:
            services = make_services(plan, backends)
            at_once = plan.config.at_once or sum(backend.capacity for backend in backends.all())
            raise_open_files(2 * at_once + plan.config.queue + SPARE_FILES)
            await load(backends)
            app = make_app(services, plan.config, keys=ring, at_once=at_once, clock=time.time)
            await run_gateway(app, plan.config, on_ready=on_ready)
        finally:
            for backend in backends.all():
                await backend.aclose()

    run_loop(main)


def make_services(plan: GatewayPlan, backends: Backends) -> list[Service]:
    """Return what stands behind each name of the gateway."""
    services: list[Service] = [
        BotService(BotBackend(made.bot, backends.behind(made.source)), _look_at(made.source, backends)) for made in plan.bots
    ]
    if plan.clients is not None:
        clients, look = plan.clients, _look_at(plan.clients.seat.source, backends)
        chair: Chair = clients.chair(backends)
        services += [ClientService(profile, chair, clients.render(profile), look) for profile in clients.profiles]
    return services


async def load(backends: Backends) -> None:
    """Load the models that live in this process."""
    for backend in backends.all():
        if isinstance(backend, HfBackend | LocalBackend):
            await backend.start()


def _look_at(source: ModelSource, backends: Backends) -> Look:
    """Return what asks a model's servers for their models, which costs nothing; one that answers is enough."""
    backend: ChatBackend = backends.behind(source)

    async def look() -> str:
        if not source.name.remote:
            return "" if backend.capacity else f"{source.identity}: not loaded"
        problems = [await _ask(source, address) for address in source.name.addresses]
        return "" if "" in problems else "; ".join(problems)

    return look


async def _ask(source: ModelSource, address: str) -> str:
    transport = open_transport(address, find_key(source.name, address, variable=source.key))
    try:
        answer = await transport.send("/models", None, timeout=LOOK_SECONDS)
    except TransportError as problem:
        return f"{address}: {problem}"
    finally:
        await transport.aclose()
    return f"{address}: status {answer.status}" if answer.status >= 500 else ""


def run_loop(main: Callable[[], object]) -> None:
    """Run a coroutine function on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # not on every platform
        asyncio.run(main())  # type: ignore[arg-type]
    else:
        uvloop.run(main())  # type: ignore[arg-type]
