"""The model that is trained: a folder of transformers, an id of the hub, or a GGUF file that becomes a folder once."""

from __future__ import annotations

import shutil
from pathlib import Path

from practicum.backends import file_identity, find_model, is_present, model_path, tie_again
from practicum.errors import ConfigError, ModelFileError, TrainingError
from practicum.training.quiet import quiet


def find_gguf(base: str) -> Path | None:
    """Return the GGUF file that a base names, by its path or in the catalog; None for a folder or an id of the hub.

    Raises:
        ConfigError: There is no such file.
        ModelFileError: It is in the catalog and not on this machine.
    """
    if base.endswith(".gguf"):
        if not Path(base).is_file():
            raise ConfigError(f"base {base}: no such file")
        return Path(base)
    if Path(base).exists() or "/" in base:
        return None
    model = find_model(base)
    if not is_present(model):
        raise ModelFileError(f"base {base}: not on this machine yet; `practicum models pull {base}` fetches it")
    return model_path(model)


def prepare_base(base: str, cache: Path) -> str:
    """Return what `from_pretrained` takes for a base: a folder made of a GGUF file (once; minutes), or the base itself.

    Args:
        base: As the user names it.
        cache: Where folders made of GGUF files are kept.

    Raises:
        ConfigError, ModelFileError: See `find_gguf`.
        TrainingError: transformers cannot read the file.
    """
    file = find_gguf(base)
    if file is None:
        return base
    folder = cache / f"{file.stem}-{file_identity(file).rpartition('#')[2][:12]}"
    if not (folder / "config.json").exists():
        draft = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        with quiet():
            _unpack(file, draft)
        draft.replace(folder)
    return str(folder)


def _unpack(file: Path, folder: Path) -> None:
    """Write a GGUF file as a folder: in 16 bits, input and output embedding tied again where the file holds the same matrix twice."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    except (OSError, ValueError, KeyError, RuntimeError) as problem:
        raise TrainingError(f"base {file}: transformers cannot read it: {problem}") from None
    tie_again(model)
    # Its tensors are plain by now, but transformers would not save what it takes for quantised.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def merge_folder(adapter: Path, base: str, out: Path) -> Path:
    """Write the base with an adapter in it as a folder for transformers or vLLM.

    Args:
        adapter: A folder of PEFT's, of any kind that it can merge.
        base: What `from_pretrained` takes, as `prepare_base` returns it.
        out: The folder to be made.

    Raises:
        TrainingError: One of the two cannot be loaded, or they do not fit.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        try:
            model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
            merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
            tokenizer = AutoTokenizer.from_pretrained(adapter if (adapter / "tokenizer_config.json").exists() else base)
        except (OSError, ValueError, KeyError, RuntimeError) as problem:
            raise TrainingError(f"adapter {adapter} and base {base} do not go together: {str(problem).splitlines()[0]}") from None
        draft = out.with_name(f".{out.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        merged.to(torch.bfloat16).save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    draft.replace(out)
    return out
