"""Every error that practicum raises on purpose, one class per boundary.

A message names the field, the value, what was expected and what to do. The command line prints it as one line and
exits with `exit_status`; anything that is not a `PracticumError` is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PracticumError(Exception):
    """A failure that the user can understand and act upon."""

    exit_status: ClassVar[int] = 1
    """What the command line exits with: 1 for a failed run, 2 for wrong usage or configuration."""


class ConfigError(PracticumError):
    """The command, the configuration or a name in it is wrong; nothing was started."""

    exit_status = 2


class RowsError(ConfigError):
    """A file of rows cannot be used; `problems` holds one line per bad row."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        """One line per bad row, in file order, all of them."""

    def __str__(self) -> str:
        shown = self.problems[:10]
        more = len(self.problems) - len(shown)
        return "\n".join([self.args[0], *(f"  {line}" for line in shown), *([f"  and {more} more"] if more else [])])


class ProfileError(RowsError):
    """A profiles file cannot be used."""


class ChoicesError(RowsError):
    """A file of choices cannot be used."""


class PromptError(ConfigError):
    """A prompt file is missing, does not render, or names what its role must not see."""


class ModelFileError(PracticumError):
    """The weights of a local model are missing, damaged or cannot be fetched."""


class BackendError(PracticumError):
    """One call failed for good: its session fails, no other does."""

    def __init__(self, message: str, *, kind: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        """A short stable word for counting: auth, refused, budget, empty, malformed, context, model …"""
        self.status = status
        """The HTTP status, where there was one."""


class UnscorableError(PracticumError):
    """A rater's answer holds no verdict: it is recorded as unscored, never guessed."""


class EndpointError(PracticumError):
    """An endpoint never answered, or stayed away longer than the patience: the run stops, its sessions stay resumable."""


class StoreError(PracticumError):
    """The store cannot be opened, read or written."""


class RunLockedError(StoreError):
    """Another process owns this run."""


class RunConflictError(ConfigError):
    """A run of this name exists with another identity; the message lists the difference."""


class StaleSessionError(StoreError):
    """Another owner has claimed this session since: what this one would write is refused."""


class ExportError(PracticumError):
    """An export cannot be written."""


class TrainingError(PracticumError):
    """A data set or a base model cannot be trained with, or training failed."""


class NotIdentifiedError(PracticumError):
    """The choices do not determine strengths: someone never won, never lost, or never met the rest."""
