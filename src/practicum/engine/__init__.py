"""One session, then many, held to their end."""

from practicum.engine.config import (
    CallConfig,
    CallsConfig,
    ChairConfig,
    CheckConfig,
    HfConfig,
    RunConfig,
    Section,
    SessionsConfig,
    Text,
    explain,
    known_keys,
    read_config,
    read_toml,
    read_tree,
)
from practicum.engine.loop import run_desk
from practicum.engine.moderator import Moderator, SessionRules
from practicum.engine.progress import Progress, RunResult, Watcher
from practicum.engine.run import Appointment, Cast, Desk, Pace
from practicum.engine.session import Journal, Notebook, OpenSession, Voice, hold_session

__all__ = [
    "Appointment",
    "CallConfig",
    "CallsConfig",
    "Cast",
    "ChairConfig",
    "CheckConfig",
    "Desk",
    "HfConfig",
    "Journal",
    "Moderator",
    "Notebook",
    "OpenSession",
    "Pace",
    "Progress",
    "RunConfig",
    "RunResult",
    "Section",
    "SessionRules",
    "SessionsConfig",
    "Text",
    "Voice",
    "Watcher",
    "explain",
    "hold_session",
    "known_keys",
    "read_config",
    "read_toml",
    "read_tree",
    "run_desk",
]
