"""Profiles in, data sets out: import, the rules of a training row, export."""

from practicum.dataset.drafts import Draft, drafting
from practicum.dataset.export import ExportReport, export_sessions
from practicum.dataset.formats import DATASET_INFO, Format, check_dataset_info, encode_dialogue, write_rows
from practicum.dataset.profiles import ProfilesDescription, bundled_profiles, describe_profiles, read_profiles
from practicum.dataset.rows import Cut, Dialogue, LeftOut, alternate, as_dialogue, reason_against
from practicum.dataset.stored import export_run, system_prompts

__all__ = [
    "DATASET_INFO",
    "Cut",
    "Dialogue",
    "Draft",
    "ExportReport",
    "Format",
    "LeftOut",
    "ProfilesDescription",
    "alternate",
    "as_dialogue",
    "bundled_profiles",
    "check_dataset_info",
    "describe_profiles",
    "drafting",
    "encode_dialogue",
    "export_run",
    "export_sessions",
    "read_profiles",
    "reason_against",
    "system_prompts",
    "write_rows",
]
