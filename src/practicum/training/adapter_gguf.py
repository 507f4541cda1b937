"""A PEFT adapter for llama.cpp: as a LoRA file beside the quantised base that it was trained for, or merged into it.

No converter package does this for adapters; it is a matter of names (`gguf` knows them), of the order of llama's rotary rows, and of
one product of two matrices. Formats: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and llama.cpp's `convert_lora_to_gguf.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from practicum.errors import TrainingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

ARCHITECTURES = ("qwen2", "llama")
"""Those whose tensors are known to be named and ordered right: compared with transformers, logit by logit."""
_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_Q8_0_BLOCK = 32
"""Rows whose length is no multiple of this cannot be written as Q8_0, and stay in full precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter as PEFT keeps it."""

    pairs: Mapping[str, tuple[Matrix, Matrix]]
    """Module names (`model.layers.0.self_attn.q_proj`) to A (rank × in) and B (out × rank)."""
    alpha: float
    rank: int

    @property
    def scale(self) -> float:
        """What B·A is multiplied with."""
        return self.alpha / self.rank


def read_adapter(folder: Path) -> Adapter:
    """Read the adapter in a folder of PEFT's.

    Raises:
        TrainingError: There is none, or it is of a kind that llama.cpp has no word for; the message says which.
    """
    from safetensors.numpy import load_file

    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
    except OSError as problem:
        raise TrainingError(f"{folder}: no PEFT adapter: {problem.strerror} ({problem.filename})") from None
    if reason := _reason_against(config, tensors):
        raise TrainingError(f"{folder}: this adapter cannot be converted: {reason}")
    halves: dict[str, dict[str, Matrix]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise TrainingError(f"{folder}: this adapter cannot be converted: it has {key}, which is no half of a LoRA pair")
        halves.setdefault(match["module"], {})[match["side"]] = tensor.astype("float32")
    return Adapter(
        pairs={module: (sides["A"], sides["B"]) for module, sides in sorted(halves.items())},
        alpha=float(config["lora_alpha"]),
        rank=int(config["r"]),
    )


def _reason_against(config: Mapping[str, Any], tensors: Mapping[str, Any]) -> str:
    if config.get("peft_type", "LORA") != "LORA":
        return f"it is {config['peft_type']}, not LoRA"
    if config.get("use_dora"):
        return "DoRA scales columns by themselves, which a GGUF adapter cannot say; merge it into a folder instead"
    if config.get("use_rslora"):
        return "rsLoRA divides by the square root of the rank, which llama.cpp does not do; train without use_rslora"
    if config.get("modules_to_save"):
        return f"modules_to_save ({', '.join(config['modules_to_save'])}) are whole new tensors; merge it into a folder instead"
    if config.get("bias", "none") != "none":
        return f"it has trained biases (bias={config['bias']!r}); train with bias='none'"
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        return "its rank or alpha differs from module to module"
    if strange := [key for key in tensors if "embed" in key or "lm_head" in key]:
        return f"it changes the embedding or the output ({strange[0]})"
    return ""


def write_lora(adapter: Adapter, base: Path, out: Path) -> Path:
    """Write an adapter as a GGUF LoRA file for a base.

    Args:
        adapter: The adapter.
        base: The GGUF file that it will be used with, quantised or not: its architecture and heads are read from there.
        out: Where to.

    Raises:
        TrainingError: The base is of an architecture that is not supported, or does not fit the adapter.
    """
    from gguf import GGUFWriter

    facts = _read_base(base)
    with _written(out) as draft:
        writer = GGUFWriter(draft, facts.architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", adapter.alpha)
        for name, a, b in _named(adapter, facts):
            writer.add_tensor(f"{name}.weight.lora_a", a)
            writer.add_tensor(f"{name}.weight.lora_b", b)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return out


def merge(adapter: Adapter, base: Path, out: Path, *, precise: bool = False) -> Path:
    """Write the base with the adapter in it: what it touches as Q8_0 (precise: in 32 bits), all else byte for byte as it was.

    Raises:
        TrainingError: As for `write_lora`.
    """
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, quants

    facts = _read_base(base)
    deltas = {f"{name}.weight": adapter.scale * (b @ a) for name, a, b in _named(adapter, facts)}
    reader = GGUFReader(base)
    with _written(out) as draft:
        writer = GGUFWriter(draft, facts.architecture)
        _copy_facts(reader, writer)
        for tensor in reader.tensors:
            delta = deltas.get(tensor.name)
            if delta is None:
                writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
                continue
            merged = (quants.dequantize(tensor.data, tensor.tensor_type).reshape(delta.shape) + delta).astype(np.float32)
            whole = precise or merged.shape[-1] % _Q8_0_BLOCK
            kind = GGMLQuantizationType.F32 if whole else GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor.name, quants.quantize(merged, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What must be known of a base."""

    architecture: str
    blocks: int
    heads: int
    kv_heads: int
    shapes: Mapping[str, tuple[int, ...]]
    """Tensors' names to their shapes, (out, in)."""


def _read_base(path: Path) -> _Base:
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError) as problem:
        raise TrainingError(f"{path}: not a GGUF file: {problem}") from None
    architecture = str(_value(reader, "general.architecture"))
    if architecture not in ARCHITECTURES:
        raise TrainingError(f"{path}: architecture {architecture!r} is not supported; expected {' or '.join(ARCHITECTURES)}")
    heads = int(_value(reader, f"{architecture}.attention.head_count"))
    return _Base(
        architecture=architecture,
        blocks=int(_value(reader, f"{architecture}.block_count")),
        heads=heads,
        kv_heads=int(_value(reader, f"{architecture}.attention.head_count_kv", heads)),
        shapes={tensor.name: tuple(int(n) for n in reversed(tensor.shape)) for tensor in reader.tensors},
    )


def _value(reader: Any, key: str, default: Any = None) -> Any:
    field = reader.get_field(key)
    return default if field is None else field.contents()


def _named(adapter: Adapter, base: _Base) -> Iterator[tuple[str, Matrix, Matrix]]:
    """Yield llama.cpp's name of each adapted tensor with its A and B, rows in llama.cpp's order."""
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

    architecture = next(key for key, name in MODEL_ARCH_NAMES.items() if name == base.architecture)
    names = get_tensor_name_map(MODEL_ARCH(architecture), base.blocks)
    for module, (a, b) in adapter.pairs.items():
        name = names.get_name(module)
        shape = base.shapes.get(f"{name}.weight")
        if shape != (b.shape[0], a.shape[1]):
            raise TrainingError(
                f"the adapter does not fit this base: {module} is {b.shape[0]} × {a.shape[1]}, the base has "
                f"{' × '.join(map(str, shape)) if shape else 'no such tensor'}; was it trained on another model?"
            )
        if base.architecture == "llama" and module.endswith((".q_proj", ".k_proj")):
            b = _permuted(b, base.heads if module.endswith(".q_proj") else base.kv_heads)  # noqa: PLW2901
        yield str(name), a, b


def _permuted(rows: Matrix, heads: int) -> Matrix:
    """Return rows in the order in which llama.cpp keeps those of rotary heads: the halves of each head interleaved."""
    out, rank = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, rank).swapaxes(1, 2).reshape(out, rank)


def _copy_facts(reader: Any, writer: Any) -> None:
    """Copy every key of the header but those that a writer writes by itself."""
    from gguf import GGUFValueType

    for field in reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)


class _written:  # noqa: N801 - reads as a word where it is used
    """A file that appears whole or not at all."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._draft = target.with_name(f".{target.name}.part")

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        return self._draft

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._draft.replace(self._target)
        else:
            self._draft.unlink(missing_ok=True)
