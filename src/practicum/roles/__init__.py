"""Who speaks: a prompt, and a view of the session."""

from practicum.roles.prompt import QUESTION, SUPERVISOR, Prompt, bundled_prompts, labels, load_prompt, opening, read_prompt_file
from practicum.roles.voice import Chair, ModelVoice

__all__ = [
    "QUESTION",
    "SUPERVISOR",
    "Chair",
    "ModelVoice",
    "Prompt",
    "bundled_prompts",
    "labels",
    "load_prompt",
    "opening",
    "read_prompt_file",
]
