"""A model's name becomes something that can be asked: its weights found, its key looked for, its form known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from practicum.backends import (
    ModelName,
    file_identity,
    find_key,
    find_model,
    is_present,
    model_path,
    read_gguf,
    rule_identity,
    source_identity,
    template_for,
)
from practicum.core import Form
from practicum.errors import ConfigError, ModelFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model, wherever it runs, with every name resolved."""

    name: ModelName
    identity: str
    """`BACKEND:NAME`, or the digest of a file: what it is, without any address or key."""
    base: str = ""
    """Identity of the weights without their adapter: what calls record."""
    form: Form = Form.CHAT
    """What the catalog says that it needs; chat for every other."""
    template: str = "plain"
    weights: Path | None = None
    """The file of a `local:` model."""
    key: str | None = None
    """The variable that holds the key, where the configuration names one."""
    lora: Path | None = None
    """An adapter for `local:` weights."""
    dtype: str = "auto"
    """For `hf:`, where the user does not say."""
    remote_code: bool = False
    """Its bot file says that it comes with code of its own."""


def find_source(name: ModelName, *, key: str | None = None) -> ModelSource:
    """Resolve weights, key, form and template of a model.

    Raises:
        ConfigError: A file or key cannot be had, or a bot is named where a model belongs.
        ModelFileError: The weights of a local model are not on this machine.
    """
    for address in name.addresses:
        find_key(name, address, variable=key)
    source = ModelSource(name=name, identity=name.identity, base=name.identity, key=key)
    match name.backend:
        case "local":
            return _find_local(source)
        case "hf":
            identity = f"hf:{source_identity(name.name)}"
            return replace(source, identity=identity, base=identity)
        case "script":
            return replace(source, identity=f"script:{rule_identity(name.name)}")
        case "bot":
            raise ConfigError(f"model {name.identity!r}: a bot answers with a model, not with another bot; name the model itself")
        case _:
            return source


def _find_local(source: ModelSource) -> ModelSource:
    name = source.name.name
    if name.endswith(".gguf"):
        path = Path(name)
        template = template_for(read_gguf(path).chat_template)  # first: it says best what is wrong with a file
        identity = f"local:{file_identity(path)}"
        return replace(source, identity=identity, base=identity, template=template, weights=path)
    model = find_model(name)
    if not is_present(model):
        raise ModelFileError(f"model local:{name} is not on this machine yet; `practicum models pull {name}` fetches it")
    return replace(source, form=model.form, template=model.template, weights=model_path(model))


def with_lora(source: ModelSource, lora: Path) -> ModelSource:
    """Return local weights with an adapter; its digest becomes part of the identity.

    Raises:
        ConfigError: The adapter is no GGUF file, or the model is not a local one.
    """
    if source.weights is None:
        raise ConfigError(
            f"model.lora: {lora}: an adapter needs a local: model, this is {source.identity!r}; "
            "on vLLM an adapter is a model by its own name (--lora-modules NAME=PATH)"
        )
    read_gguf(lora)
    return replace(source, lora=lora, identity=f"{source.identity}+{file_identity(lora)}")


def adapters_of(sources: Iterable[ModelSource], weights: Path) -> tuple[Path, ...]:
    """Return every adapter that is used with some weights, each once."""
    return tuple(dict.fromkeys(source.lora for source in sources if source.weights == weights and source.lora is not None))
