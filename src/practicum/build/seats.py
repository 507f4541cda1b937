"""One chair each: a configured model becomes a participant with its prompts, every name resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from practicum.backends import (
    TEMPLATES,
    ModelName,
    file_identity,
    find_key,
    find_model,
    is_present,
    model_path,
    read_gguf,
    read_model_name,
    rule_identity,
    template_for,
)
from practicum.core import LANGUAGES, Form, Language, Participant, Profile, PromptRef, Sampling, Speaker
from practicum.engine import ChairConfig
from practicum.errors import ConfigError, ModelFileError
from practicum.roles import Prompt, load_prompt, read_prompt_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One side of the table, every name resolved."""

    role: str
    """client, counselor, supervisor."""
    config: ChairConfig
    model: ModelName
    participant: Participant
    prompts: Mapping[Language, Prompt]
    weights: Path | None = None
    """The file of a local model."""

    def render(self, profile: Profile, max_exchanges: int) -> str:
        """Return the system prompt for a session with this client; only the client's own side is given the profile."""
        story = {"profile": profile.text, "facts": profile.facts} if self.role == Speaker.CLIENT else {}
        return self.prompts[profile.language].render(language=profile.language, max_exchanges=max_exchanges, **story)


def take_seat(role: str, config: ChairConfig, *, more: Iterable[PromptRef] = ()) -> Seat:
    """Resolve model, key, form, template and prompts of one chair.

    Args:
        role: client, counselor, supervisor.
        config: The chair.
        more: Prompts that the role uses besides, for its identity.

    Raises:
        ConfigError: One of them cannot be had.
        ModelFileError: The weights of a local model are not on this machine.
    """
    model = read_model_name(config.model)
    form, template, identity, weights = Form.CHAT, "plain", model.identity, None
    if model.backend == "local":
        form, template, identity, weights = _resolve_local(model.name)
    elif model.backend == "script":
        identity = f"script:{rule_identity(model.name)}"
    for address in model.addresses:
        find_key(model, address, variable=config.key)
    form = config.form or form
    template = config.template or template
    if template not in TEMPLATES:
        raise ConfigError(f"{role}.template: {template!r} is not one of {', '.join(TEMPLATES)}")
    prompts = prompts_for(role, form, config.prompt)
    participant = Participant(
        role=role,
        model=identity,
        form=form,
        prompts=tuple(sorted({*more, *(prompt.ref for prompt in prompts.values())}, key=lambda ref: ref.id)),
        sampling=Sampling(temperature=config.temperature, top_p=config.top_p, max_tokens=config.max_tokens),
        template=template if form is Form.TRANSCRIPT else "",
    )
    return Seat(role=role, config=config, model=model, participant=participant, prompts=prompts, weights=weights)


def _resolve_local(name: str) -> tuple[Form, str, str, Path]:
    """Return form, template, identity and file of a local model, from the catalog or by path."""
    if name.endswith(".gguf"):
        path = Path(name)
        return Form.CHAT, template_for(read_gguf(path).chat_template), f"local:{file_identity(path)}", path
    model = find_model(name)
    if not is_present(model):
        raise ModelFileError(f"model local:{name} is not on this machine yet; `practicum models pull {name}` fetches it")
    return model.form, model.template, f"local:{name}", model_path(model)


def bundled(role: str, form: Form) -> Mapping[Language, Prompt]:
    """Return a role's own prompt in every language."""
    return {language: load_prompt(role, language, form) for language in LANGUAGES}


def prompts_for(role: str, form: Form, prompt: Path | None) -> Mapping[Language, Prompt]:
    """Return the bundled prompts of a name, `bundled:person-centred`, or those in a user's file; None: the role's own."""
    if prompt is None:
        return bundled(role, form)
    kind, colon, name = str(prompt).partition(":")
    if colon and kind == "bundled":
        return {language: load_prompt(role, language, form, name) for language in LANGUAGES}
    return _own(role, form, prompt)


def _own(role: str, form: Form, path: Path) -> Mapping[Language, Prompt]:
    return {language: read_prompt_file(path, role=role, language=language, form=form) for language in LANGUAGES}
