"""Prompts by what a user may call them: nothing, `bundled:NAME`, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from practicum.core import LANGUAGES, Form, Language
from practicum.roles import Prompt, load_prompt, read_prompt_file


def bundled(role: str, form: Form) -> Mapping[Language, Prompt]:
    """Return a role's own prompt in every language."""
    return {language: load_prompt(role, language, form) for language in LANGUAGES}


def prompts_for(role: str, form: Form, prompt: Path | None, languages: Iterable[Language] = LANGUAGES) -> Mapping[Language, Prompt]:
    """Return the bundled prompts of a name, `bundled:person-centred`, or those in a user's file; None: the role's own."""
    kind, colon, name = str(prompt or "bundled:").partition(":")
    if colon and kind == "bundled":
        return {language: load_prompt(role, language, form, name) for language in languages}
    path = Path(str(prompt))
    return {language: read_prompt_file(path, role=role, language=language, form=form) for language in languages}
