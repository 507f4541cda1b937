"""What a training is asked to be: one frozen tree, and presets for machines that people have."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field

from practicum.engine import Section, Text

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Method = Literal["lora", "qlora", "full", "dpo"]
_PRESETS = files("practicum.training") / "presets"


class LoraConfig(Section):
    """The adapter (methods lora, qlora and dpo)."""

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: Annotated[float, Field(gt=0, le=4096)] = 32.0
    dropout: Share = 0.0
    modules: tuple[Text, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """What is adapted; "all-linear" alone stands for every linear layer but the output."""


class DpoConfig(Section):
    """Preference tuning (method dpo)."""

    beta: Annotated[float, Field(gt=0, le=100)] = 0.1
    length_matched: bool = True
    """Use only pairs whose replies are about equally long: else the model may learn no more than to be longer."""
    length_ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """The longer reply of a matched pair has at most so many times the characters of the shorter."""
    held_out: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of the profiles whose pairs are not learnt from: the loss on them is taken on the way; 0: none."""


class TrainConfig(Section):
    """A training."""

    data: Text
    """A data set of `practicum curate` (or preference pairs, for dpo)."""
    base: Text
    """A Hugging Face folder or id, a name of the catalog, or a GGUF file."""
    out: Text
    """The folder that the model goes into."""
    method: Method = "lora"
    context: Annotated[int, Field(ge=64, le=1_000_000)] = 4096
    """Tokens of a row at most; longer sessions become several windows."""
    epochs: Annotated[float, Field(gt=0, le=1000)] = 2.0
    steps: Count | None = None
    """So many optimizer steps at most; none: as many as the epochs have."""
    minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Stop after so long, at the next step."""
    batch: Count = 1
    """Rows a device computes at once."""
    accumulate: Count = 8
    """Batches that make a step; rows a step = batch × accumulate × devices."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Learning rate at its highest."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.03
    """Share of the steps over which the rate rises."""
    decay: Share = 0.0
    """Weight decay."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: bfloat16 on a GPU or CPU that has units for it, else float32."""
    checkpointing: bool = False
    """Compute activations again instead of keeping them: less memory, a third slower."""
    evaluations: Count = 8
    """How often the held-out loss is taken over the whole training."""
    patience: Annotated[int, Field(ge=0, le=1000)] = 3
    """Stop after so many evaluations without a better held-out loss; 0: never."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    lora: LoraConfig = LoraConfig()
    dpo: DpoConfig = DpoConfig()


def presets() -> Mapping[str, Mapping[str, Any]]:
    """Return the presets by name: parts of a `TrainConfig`, with a word on what each is for under `about`."""
    found = sorted(entry.name for entry in _PRESETS.iterdir() if entry.name.endswith(".toml"))
    return {name.removesuffix(".toml"): tomllib.loads((_PRESETS / name).read_text("utf-8")) for name in found}
