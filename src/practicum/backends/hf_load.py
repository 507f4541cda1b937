"""Weights that transformers reads: what stands for them in an identity, and how they come into memory."""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from practicum.backends.cores import free_cores
from practicum.backends.fingerprint import file_identity
from practicum.backends.gguf import read_gguf
from practicum.errors import ConfigError, ModelFileError

DTYPES = ("auto", "float32", "bfloat16", "float16")
SAME_MATRIX = 0.25
"""Relative distance below which two matrices are one that was rounded twice: Q4 to Q8 differ by 0.01 to 0.1, strangers by 1.4."""
_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
_READ = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt", ".tiktoken", ".py")
"""What of a folder determines the model; not its README, its optimizer's state or its logs."""
_FAULTS = (OSError, ValueError, KeyError, AttributeError, TypeError, ImportError, RuntimeError, MemoryError)
"""What a loader raises where weights or their code will not do; the code that comes with a model may raise any of them."""


def source_identity(source: str) -> str:
    """Return what stands for a model in an identity, without importing torch; the place where it lies does not count.

    A hub id stands for itself. A GGUF file is `NAME#DIGEST` as for `local:`; a folder is `NAME#DIGEST` over its configuration,
    tokenizer, code and weights, the large ones sampled: a fine-tune has its base's file names and sizes.

    Raises:
        ConfigError: No such folder or file, and no hub id either; a folder without a config.json; a file that is no GGUF file.
        ModelFileError: A file cannot be read.
    """
    check_source(source)
    path = Path(source)
    if source.endswith(".gguf"):
        return file_identity(path)
    if not path.is_dir():
        return source
    digest = sha256()
    for one in sorted(path.iterdir()):
        if one.suffix in _READ and one.is_file():
            digest.update(f"{file_identity(one)}\0".encode())
    return f"{path.resolve().name}#{digest.hexdigest()[:12]}"


def check_source(source: str) -> None:
    """Look whether a model can be where it is said to be, without reading it.

    Raises:
        ConfigError: As for `source_identity`.
    """
    folder = Path(source)
    if source.endswith(".gguf"):
        read_gguf(folder)
    elif not folder.is_dir() and not _HUB_ID.fullmatch(source):
        raise ConfigError(
            f"model hf:{source}: no such folder; expected a folder with a config.json, a .gguf file, "
            "or a hub id such as Qwen/Qwen2-7B-Instruct"
        )
    elif folder.is_dir() and not (folder / "config.json").is_file():
        raise ConfigError(f"model hf:{source}: the folder has no config.json; expected one that `save_pretrained` has written")


def check_libraries() -> None:
    """Look for what `hf:` needs, without loading it.

    Raises:
        ConfigError: Something is missing; the message says how to install it.
    """
    if find_spec("torch") is None:
        raise ConfigError("hf: models need torch; install the build that fits this machine (`pip install torch` is the usual one)")
    if find_spec("transformers") is None:
        raise ConfigError("hf: models need transformers; `pip install 'practicum[hf]'` installs it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model in memory."""

    name: str
    model: Any
    tokenizer: Any
    device: str
    dtype: str
    parameters: int
    threads: int
    """Of the CPU, where that computes; else 0."""
    context: int
    """Tokens, prompt and reply together; 0: the configuration does not say."""
    ends: frozenset[int]
    """Tokens that end a reply."""
    takes: frozenset[str]
    """What the forward pass takes by name."""
    cache_name: str
    """What the forward pass calls its cache: `past_key_values` up to transformers 5.2x, `cache` after."""
    plain: bool
    """Its cache is keys and values of full attention, layer by layer: it can be cut, merged and kept."""
    alone: bool
    """Code that came with it keeps the cache: one conversation at a time, or rows could not leave it."""


def load(source: str, *, name: str, dtype: str, device: str, trust_remote_code: bool) -> Weights:
    """Load tokenizer and model; takes seconds to minutes, and the hub where `source` is an id that is not on this machine.

    Raises:
        ConfigError: No such device, or the model needs code of its own that may not be run.
        ModelFileError: The weights cannot be had or loaded.
    """
    import torch

    chosen = _choose_device(name, device)
    if chosen == "cpu":
        torch.set_num_threads(free_cores())  # of this thread: the one that will compute
    if dtype == "auto":
        kind: Any = torch.float32 if chosen == "cpu" else "auto"
    else:
        kind = getattr(torch, dtype)
    where = source
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if source.endswith(".gguf"):
        where, options = str(Path(source).parent), {**options, "gguf_file": Path(source).name}
    with _quiet():
        try:
            tokenizer, model = _from_pretrained(where, kind, options)
        except _faults() as error:
            raise _load_error(name, source, error, trusted=trust_remote_code) from error
        if source.endswith(".gguf"):
            tie_again(model)
        try:
            model = model.to(chosen).eval()
        except RuntimeError as error:
            raise ModelFileError(f"{name}: does not fit on {chosen} ({error}); another device, or dtype bfloat16, takes less") from error
    return _describe(name, model, tokenizer, chosen)


def _choose_device(name: str, device: str) -> str:
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: "Torch not compiled with CUDA enabled"
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{name}: device {device!r} cannot be used ({reason}); expected auto, cpu, cuda, cuda:1, mps …") from error
    return device


def _from_pretrained(where: str, kind: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(where, **options)
    own = getattr(config, "auto_map", None) or {}
    chooser = AutoModel if "AutoModel" in own and "AutoModelForCausalLM" not in own else AutoModelForCausalLM
    tokenizer = AutoTokenizer.from_pretrained(where, **options)
    return tokenizer, chooser.from_pretrained(where, dtype=kind, **options)


def _faults() -> tuple[type[Exception], ...]:
    from safetensors import SafetensorError

    return (*_FAULTS, SafetensorError)


def _load_error(name: str, source: str, error: Exception, *, trusted: bool) -> Exception:
    if not trusted and "trust_remote_code" in str(error):
        return ConfigError(
            f"{name}: the model comes with Python code of its own, which is run only if two say so: its bot file "
            "(model.trust_remote_code = true) and you (--trust-remote-code); read that code first"
        )
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, ImportError):
        return ModelFileError(f"{name}: needs a package that is not installed: {first}")
    what = (
        "is the folder whole, its architecture known to this transformers"
        if Path(source).exists()
        else "is the id right, the hub within reach"
    )
    return ModelFileError(f"{name}: transformers cannot load {source} ({first}); {what}, and is there memory for it?")


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep the library's bars and advice off the user's screen: what matters is told through `notify` or raised."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def tie_again(model: Any) -> None:
    """Make input and output embedding one where a GGUF file holds the same matrix twice, at two precisions: the output's is the finer."""
    before, after = model.get_input_embeddings(), model.get_output_embeddings()
    if before is None or after is None or before.weight is after.weight or before.weight.shape != after.weight.shape:
        return
    coarse, fine = before.weight[:1024].float(), after.weight[:1024].float()
    if (coarse - fine).norm() < SAME_MATRIX * fine.norm():
        before.weight = after.weight
        model.config.tie_word_embeddings = True


def _describe(name: str, model: Any, tokenizer: Any, device: str) -> Weights:
    import torch

    takes = frozenset(inspect.signature(model.forward).parameters)
    remote = not type(model).__module__.startswith("transformers.models.")
    config = model.config.get_text_config()
    return Weights(
        name=name,
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=str(model.dtype).removeprefix("torch."),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        threads=torch.get_num_threads() if device == "cpu" else 0,
        context=getattr(config, "max_position_embeddings", 0) or 0,
        ends=_ends(model, tokenizer),
        takes=takes,
        cache_name="cache" if "cache" in takes else "past_key_values",
        plain=not remote and _is_plain(model),
        alone=remote,
    )


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    stated = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    found = stated if isinstance(stated, list) else [stated]
    return frozenset(token for token in (*found, tokenizer.eos_token_id) if token is not None)


def _is_plain(model: Any) -> bool:
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if not model._supports_default_dynamic_cache():
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
