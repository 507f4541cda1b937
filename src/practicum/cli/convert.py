"""`practicum models convert`: a trained adapter on its way into service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from practicum.errors import ConfigError


def convert(
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="A folder of PEFT's, as `practicum train` writes it.", show_default=False)
    ],
    base: Annotated[
        str, typer.Option("--base", metavar="MODEL", help="What it was trained on: a name of the catalog, a GGUF file, a folder or id.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file or folder to be written.")],
    form: Annotated[
        Literal["lora", "gguf", "folder"],
        typer.Option(
            "--as", help="lora: a GGUF adapter for the same base. gguf: both in one file (Q8_0). folder: both, for transformers or vLLM."
        ),
    ] = "lora",
) -> None:
    """Convert an adapter for llama.cpp, or merge it into its base.

    What cannot be converted (DoRA, rsLoRA, whole new tensors) is refused with its reason.
    """
    from practicum.build.training import base_folder
    from practicum.training import find_gguf, merge, merge_folder, read_adapter, write_lora

    if out.exists():
        raise ConfigError(f"out {out}: is there already; give another path")
    if form == "folder":
        print(merge_folder(adapter, base_folder(base), out))
        return
    file = find_gguf(base)
    if file is None:
        raise ConfigError(f"base {base}: --as {form} needs the base as a GGUF file, or a name of the catalog")
    write = write_lora if form == "lora" else merge
    print(write(read_adapter(adapter), file, out))
