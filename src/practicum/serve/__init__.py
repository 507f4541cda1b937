"""A bot behind an API: bots as data, and the gateway that lets anything that speaks OpenAI's protocol talk to them.

The gateway itself (`practicum.serve.app`, `practicum.serve.server`) is imported by its name: FastAPI takes longer to load than
all the rest.
"""

from collections.abc import Mapping

from practicum.serve.bot import Bot, BotBackend
from practicum.serve.bot_file import BotFile, bundled_bots, find_bot, read_bot
from practicum.serve.config import ServeConfig
from practicum.serve.crisis import countries, crisis_text
from practicum.serve.service import Asked, Service
from practicum.serve.services import BotService, ClientService

NO_BANNER: Mapping[str, str] = {"X-Practicum-Banner": "off"}
"""Sent by whatever asks a gateway for simulated sessions: a crisis banner would become training data and move verdicts."""

__all__ = [
    "NO_BANNER",
    "Asked",
    "Bot",
    "BotBackend",
    "BotFile",
    "BotService",
    "ClientService",
    "ServeConfig",
    "Service",
    "bundled_bots",
    "countries",
    "crisis_text",
    "find_bot",
    "read_bot",
]
