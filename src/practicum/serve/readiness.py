"""Whether what stands behind the door can answer now; asked of the services once in a while, however many want to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from practicum.errors import PracticumError
from practicum.serve.service import Service

KEPT_SECONDS = 5.0
PATIENCE_SECONDS = 10.0


class Readiness:
    """What is missing, kept for some seconds."""

    def __init__(self, services: Iterable[Service], *, clock: Callable[[], float]) -> None:
        self._services = _one_client(services)
        self._clock = clock
        self._at = 0.0
        self._look: asyncio.Task[Mapping[str, str]] | None = None

    async def missing(self) -> Mapping[str, str]:
        """Return the names that cannot answer now, each with what it lacks; empty if all can."""
        now = self._clock()
        if self._look is None or (self._look.done() and now - self._at >= KEPT_SECONDS):
            self._at = now
            self._look = asyncio.create_task(self._ask())
        return await asyncio.shield(self._look)  # one who leaves does not take the others' answer along

    async def _ask(self) -> Mapping[str, str]:
        found = await asyncio.gather(*map(_lack_of, self._services))
        return {service.name: lack for service, lack in zip(self._services, found, strict=True) if lack}


async def _lack_of(service: Service) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await service.ready()
    except TimeoutError:
        return f"no sign within {PATIENCE_SECONDS:g} s"
    except PracticumError as error:
        return str(error)


def _one_client(services: Iterable[Service]) -> Sequence[Service]:
    """Leave all clients out but one: a run's thousands are played by one model."""
    kept: list[Service] = []
    clients = 0
    for service in services:
        clients += service.name.startswith("client/")
        if not service.name.startswith("client/") or clients == 1:
            kept.append(service)
    return kept
