"""`practicum prompts`: the prompts that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer

from practicum.cli.console import table
from practicum.errors import PromptError


def prompts(
    name: Annotated[str | None, typer.Argument(metavar="ID", help="Print the text of this one.")] = None,
) -> None:
    """List the bundled prompts, or print one of them.

    Your own go to simulate, as --client-prompt and --counselor-prompt.
    """
    from practicum.roles import bundled_prompts

    known = {prompt.id: prompt for prompt in bundled_prompts()}
    if name is None:
        rows = [(prompt.id, prompt.role, prompt.language, prompt.form, prompt.digest) for prompt in known.values()]
        for line in table(("id", "role", "language", "form", "digest"), rows):
            print(line)
    elif name in known:
        print(known[name].text)
    else:
        raise PromptError(f"prompt {name!r} does not exist; known: {', '.join(known)}")
