"""Who speaks: a prompt, and a view of the session."""

from practicum.roles.person import Aside, CuttableVoice, PersonVoice, SteppedOut, StreamedVoice, Wish, whole
from practicum.roles.prompt import QUESTION, SUPERVISOR, Prompt, bundled_prompts, labels, load_prompt, opening, read_prompt_file
from practicum.roles.voice import Chair, ModelVoice

__all__ = [
    "QUESTION",
    "SUPERVISOR",
    "Aside",
    "Chair",
    "CuttableVoice",
    "ModelVoice",
    "PersonVoice",
    "Prompt",
    "SteppedOut",
    "StreamedVoice",
    "Wish",
    "bundled_prompts",
    "labels",
    "load_prompt",
    "opening",
    "read_prompt_file",
    "whole",
]
