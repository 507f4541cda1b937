"""LLaMA-Factory itself reads what `practicum curate` and `practicum train --export llamafactory` write (`make factory`).

Opt-in: it has an environment of its own (it cannot share one with today's TRL), 2 GB of packages. Its own parser reads the configuration,
its own loader the dialogues: none may be missing, and for every one its token ids and labels are compared with ours. Then it trains a tiny
random model for two steps by the very file. What was found goes to `factory_load.md`; whatever does not hold makes the command fail.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_suffix(".md")
BASE = "qwen2.5-coder-0.5b"
CONTEXT = 4096
Row = tuple[list[int], list[int]]
"""Token ids and labels of one dialogue."""
Found = tuple[str, bool]
"""What was found, in a line, and whether it is as it should be."""


def check_export(factory: Path, folder: Path) -> Iterator[Found]:
    """Yield what was found, line by line.

    Args:
        factory: The Python of LLaMA-Factory's environment.
        folder: Where data set, configuration and tiny model go.
    """
    from practicum.build.training import base_folder, load_tokenizer
    from practicum.dataset import example_dialogues
    from practicum.training import TrainConfig, encode_rows, write_factory

    data = folder / "data"
    _run([sys.executable, "-m", "practicum", "models", "pull", BASE, "--yes"])
    _run([sys.executable, "-m", "practicum", "curate", str(example_dialogues()), f"--out={data}"])
    base = base_folder(BASE)
    _, tokenizer = load_tokenizer(BASE)
    config = TrainConfig(data=str(data), base=base, out=str(folder / "out"), context=CONTEXT, precision="float32")
    found = json.loads(_run([str(factory), str(Path(__file__)), "child", str(write_factory(config, folder))]).splitlines()[-1])
    yield f"LLaMA-Factory {found['version']}, tokenizer of {BASE}", set(found["rows"]) == {"train", "dev"}
    for split, rows in found["rows"].items():
        ours: list[Row] = [
            (w.encoded.input_ids, w.encoded.labels) for w in encode_rows(tokenizer, data / f"messages-{split}.jsonl", CONTEXT).windows
        ]
        yield _compare(split, ours, [(ids, labels) for ids, labels in rows])
    yield _train(factory, config, folder)


def _compare(split: str, ours: Sequence[Row], theirs: Sequence[Row]) -> Found:
    both = list(zip(ours, theirs, strict=False))
    same = sum(a[0] == b[0] for a, b in both)
    # Theirs puts the line break after an end of turn into the loss or not, ours never does: the words must agree.
    learnt = sum(_learnt(a) <= _learnt(b) for a, b in both)
    line = f"{split}: {len(ours)} dialogues written, {len(theirs)} read; token ids equal in {same}; all we learn from is learnt in {learnt}"
    return line, len(ours) == len(theirs) == same == learnt


def _learnt(row: Row) -> set[int]:
    return {index for index, label in enumerate(row[1]) if label >= 0}


def _train(factory: Path, config: Any, folder: Path) -> Found:
    from practicum.training import write_factory
    from tests.training.tiny_models import tiny_model

    tiny = folder / "tiny-qwen2"
    model, tokenizer = tiny_model("qwen2")
    model.save_pretrained(tiny)
    tokenizer.save_pretrained(tiny)
    out = folder / "trained"
    path = write_factory(config.model_copy(update={"base": str(tiny), "out": str(out)}), folder / "tiny")
    said = _run([str(factory), "-m", "llamafactory.cli", "train", str(path), "max_steps=2", "use_cpu=true"])
    made = (out / "adapter_model.safetensors").exists()
    return f"two steps on a tiny random model: {'an adapter' if made else f'no adapter: {said[-300:]}'}", made


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return done.stdout


def read_there(path: Path) -> dict[str, Any]:
    """Read configuration and data as LLaMA-Factory does; runs in its environment, where practicum is not."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # type: ignore[import-not-found]
    from llamafactory.hparams import get_train_args  # type: ignore[import-not-found]
    from llamafactory.model import load_tokenizer  # type: ignore[import-not-found]

    settings = dict(line.split(": ", 1) for line in path.read_text("utf-8").splitlines())
    model, data, training, _, _ = get_train_args({name: json.loads(value) for name, value in settings.items()} | {"use_cpu": True})
    there = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(there["tokenizer"], data)
    found = get_dataset(template, model, data, training, stage="sft", **there)
    rows = {
        name: [[row["input_ids"], row["labels"]] for row in found[key]]
        for name, key in (("train", "train_dataset"), ("dev", "eval_dataset"))
        if key in found
    }
    return {"version": version("llamafactory"), "rows": rows}


def main() -> None:
    """Check the export, print what was found and keep it; or be the child."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.factory_load", description="LLaMA-Factory reads practicum's export")
    parser.add_argument("what", help="the Python of LLaMA-Factory's environment; or child, in it")
    parser.add_argument("file", nargs="?", type=Path)
    options = parser.parse_args()
    if options.what == "child":
        print(json.dumps(read_there(options.file)))
        return
    lines, sound = [], True
    with tempfile.TemporaryDirectory() as folder:
        for line, holds in check_export(Path(options.what), Path(folder)):
            print(line if holds else f"WRONG: {line}", flush=True)
            lines.append(f"- {line}")
            sound &= holds
    RECORD.write_text(
        "\n".join(["# What LLaMA-Factory reads", "", "Made by `make factory`; see `benchmarks/factory_load.py`.", "", *lines, ""]), "utf-8"
    )
    if not sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
