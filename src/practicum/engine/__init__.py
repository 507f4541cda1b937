"""One session, then many, held to their end."""

from practicum.engine.config import ChairConfig, RunConfig, known_keys, read_config
from practicum.engine.loop import run_desk
from practicum.engine.moderator import Moderator, SessionRules
from practicum.engine.progress import Progress, RunResult, Watcher
from practicum.engine.run import Appointment, Cast, Desk, Pace
from practicum.engine.session import Journal, OpenSession, Voice, hold_session

__all__ = [
    "Appointment",
    "Cast",
    "ChairConfig",
    "Desk",
    "Journal",
    "Moderator",
    "OpenSession",
    "Pace",
    "Progress",
    "RunConfig",
    "RunResult",
    "SessionRules",
    "Voice",
    "Watcher",
    "hold_session",
    "known_keys",
    "read_config",
    "run_desk",
]
