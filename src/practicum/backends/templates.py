"""How the transcript form is written as raw text for families of models that expect marks around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Template(NamedTuple):
    """The text around system prompt, transcript and cue: `before` system `between` lines `after` cue."""

    before: str
    between: str
    after: str
    stop: tuple[str, ...] = ()
    """The family's own end marks, for servers that do not stop at them by themselves."""
    bare: str = ""
    """Stands in place of `before`, system prompt and `between` where there is no system prompt."""

    def opening(self, system: str) -> str:
        """Return what stands before the transcript's first line."""
        return self.before + system + self.between if system else self.bare

    def fill(self, system: str, lines: Sequence[str], cue: str) -> str:
        """Return the whole text, the reply begun."""
        return self.opening(system) + "\n".join(lines) + self.after + cue


TEMPLATES: Mapping[str, Template] = {
    "plain": Template("", "\n\n", "\n"),
    "chatml": Template(
        "<|im_start|>system\n",
        "<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        ("<|im_end|>",),
        bare="<|im_start|>user\n",
    ),
    "llama3": Template(
        "<|start_header_id|>system<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|eot_id|>",),
        bare="<|start_header_id|>user<|end_header_id|>\n\n",
    ),
}
"""Names to templates. Lines of the transcript are joined by a line break."""


def template_for(chat_template: str) -> str:
    """Return the name of the template that fits a model's own Jinja chat template; "plain" if none does."""
    if "<|im_start|>" in chat_template:
        return "chatml"
    return "llama3" if "<|start_header_id|>" in chat_template else "plain"
