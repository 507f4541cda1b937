"""Model names: `BACKEND:NAME[@ADDRESS]`, the presets, and where a key may go."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from practicum.backends.transport import read_address
from practicum.errors import ConfigError

ADDRESS_KEY = "PRACTICUM_API_KEY"
"""The key for any address that is not a preset's own."""
_NAMED = re.compile(r"(?P<backend>[a-z]+):(?P<name>.*?)(?:@(?P<address>https?://.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A service by name: its address, and the variable that holds its key."""

    address: str
    key: str | None
    """Sent to `address` only; None: the service wants none."""
    about: str


PRESETS: Mapping[str, Preset] = {
    "openai": Preset(address="https://api.openai.com/v1", key="OPENAI_API_KEY", about="OpenAI, or any compatible server by @ADDRESS"),
    "deepseek": Preset(address="https://api.deepseek.com/v1", key="DEEPSEEK_API_KEY", about="DeepSeek"),
    "dashscope": Preset(
        address="https://dashscope.aliyuncs.com/compatible-mode/v1",
        key="DASHSCOPE_API_KEY",
        about="Alibaba Cloud, Qwen models",
    ),
    "ollama": Preset(address="http://localhost:11434/v1", key=None, about="Ollama on this machine"),
    "vllm": Preset(address="http://localhost:8000/v1", key=None, about="vLLM on this machine"),
}
LOCAL, HF, BOT, SCRIPT = "local", "hf", "bot", "script"
BACKENDS = (*PRESETS, LOCAL, HF, BOT, SCRIPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """A model as the user names it."""

    backend: str
    name: str
    addresses: tuple[str, ...] = ()
    """Base URLs (replicas) of a remote model, without a final slash; empty for local and scripted ones."""

    @property
    def identity(self) -> str:
        """`BACKEND:NAME`: what the model is, wherever it runs."""
        return f"{self.backend}:{self.name}"

    @property
    def remote(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.backend in PRESETS


def read_model_name(text: str) -> ModelName:
    """Read `BACKEND:NAME[@ADDRESS[,ADDRESS…]]`, split at the first colon; an address is a final `@http(s)://…`.

    Raises:
        ConfigError: Unknown backend, empty name, or an address where none belongs.
    """
    match = _NAMED.fullmatch(text)
    backends = ", ".join(f"{name}:" for name in BACKENDS)
    if match is None or match["backend"] not in BACKENDS:
        raise ConfigError(
            f"model {text!r}: expected BACKEND:NAME[@ADDRESS] with BACKEND one of {backends}; "
            "e.g. openai:gpt-4.1 or local:qwen2.5-coder-1.5b"
        )
    backend, name, given = match["backend"], match["name"], match["address"]
    if not name:
        raise ConfigError(f"model {text!r} has no name after the colon")
    if backend not in PRESETS:
        if given:
            raise ConfigError(f"model {text!r}: {backend}: models run in this process and take no @ADDRESS")
        return ModelName(backend=backend, name=name)
    addresses = tuple(dict.fromkeys(one.rstrip("/") for one in (given or PRESETS[backend].address).split(",")))
    for address in addresses:
        read_address(address)
    return ModelName(backend=backend, name=name, addresses=addresses)


def find_key(model: ModelName, address: str, *, variable: str | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the key for one address of a model, from the environment only.

    A preset's key goes to the preset's own address only; another address gets `variable`, if the configuration names
    one, else PRACTICUM_API_KEY, else none.

    Raises:
        ConfigError: The service wants a key and its variable is not set.
    """
    environ = os.environ if environ is None else environ
    preset = PRESETS[model.backend]
    own = address == preset.address
    wanted = variable or (preset.key if own else ADDRESS_KEY)
    key = environ.get(wanted, "").strip() if wanted else ""
    if not key and wanted and (variable or own):
        raise ConfigError(
            f"model {model.identity!r}: no key: the environment variable {wanted} is not set; "
            f"set it (export {wanted}=…) or point the model at another server with @ADDRESS"
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"environment variable {wanted} holds characters that no key has; set it anew")
    return key or None
