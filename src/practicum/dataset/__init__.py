"""Profiles in, data sets out: import, the rules of a training row, export, curation.

What belongs to curation is loaded when it is first asked for: it takes numpy and pydantic, which an export does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from practicum.dataset.drafts import Draft, drafting
from practicum.dataset.export import ExportReport, export_sessions
from practicum.dataset.formats import DATASET_INFO, Format, check_dataset_info, dataset_info, encode_dialogue, write_rows
from practicum.dataset.profiles import ProfilesDescription, bundled_profiles, describe_profiles, read_profiles
from practicum.dataset.rows import Cut, Dialogue, LeftOut, alternate, as_dialogue, reason_against
from practicum.dataset.stored import export_run, system_prompts

if TYPE_CHECKING:
    from practicum.dataset.checks import Check, Finding, Mend, examine, mend
    from practicum.dataset.conversation import Conversation, Line
    from practicum.dataset.curate_config import ChecksConfig, CurateConfig, SplitConfig
    from practicum.dataset.curated import CurateReport, SplitSize
    from practicum.dataset.curation import curate
    from practicum.dataset.sessions_in import ImportedSessions, import_sessions
    from practicum.dataset.sources import Source, example_dialogues, find_sources, read_corpus

__all__ = [
    "DATASET_INFO",
    "Check",
    "ChecksConfig",
    "Conversation",
    "CurateConfig",
    "CurateReport",
    "Cut",
    "Dialogue",
    "Draft",
    "ExportReport",
    "Finding",
    "Format",
    "ImportedSessions",
    "LeftOut",
    "Line",
    "Mend",
    "ProfilesDescription",
    "Source",
    "SplitConfig",
    "SplitSize",
    "alternate",
    "as_dialogue",
    "bundled_profiles",
    "check_dataset_info",
    "curate",
    "dataset_info",
    "describe_profiles",
    "drafting",
    "encode_dialogue",
    "examine",
    "example_dialogues",
    "export_run",
    "export_sessions",
    "find_sources",
    "import_sessions",
    "mend",
    "read_corpus",
    "read_profiles",
    "reason_against",
    "system_prompts",
    "write_rows",
]

_LATER = {
    "checks": ("Check", "Finding", "Mend", "examine", "mend"),
    "conversation": ("Conversation", "Line"),
    "curate_config": ("ChecksConfig", "CurateConfig", "SplitConfig"),
    "curated": ("CurateReport", "SplitSize"),
    "curation": ("curate",),
    "sessions_in": ("ImportedSessions", "import_sessions"),
    "sources": ("Source", "example_dialogues", "find_sources", "read_corpus"),
}
_MODULES = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
