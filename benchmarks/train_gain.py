"""Figure 26: what twenty minutes of training on two cores do to the loss on clients that the model never saw.

The sessions are the 600 SmileChat dialogues of `../shared`, through `practicum curate`; the training is `practicum train` with the preset
for this machine. Without that folder it is read from the record of `make circle`, whose forty sessions teach less.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row, Verdict

CORPUS = ROOT.parent / "shared" / "data" / "dialogues" / "smilechat-sample.jsonl"
BASE, PRESET, MINUTES = "qwen2.5-coder-0.5b", "cpu-0.5b", 20
REACH = 0.15
MEASURE = f"LoRA on the 0.5B, at most {MINUTES} minutes on 2 cores: fall of the loss on unseen clients"


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    if not CORPUS.exists():
        return [Row(figure=26, measure=MEASURE, reach="≥ 15 %", ours="the corpus is not here", verdict=Verdict.NOT_MEASURED)]
    minutes = 1 if bench.quick else MINUTES
    data, out = bench.folder / "smilechat", bench.folder / "counselor"
    _run("models", "pull", BASE, "--yes")
    _run("curate", str(CORPUS), f"--out={data}", "--set=split.test=0.2", "--set=split.dev=0.05", "--set=checks.off=['no_ending']")
    _run("train", f"--data={data}", f"--base={BASE}", f"--preset={PRESET}", f"--out={out}", f"--minutes={minutes}", "--set=epochs=1")
    return [_row(json.loads((out / "run.json").read_text("utf-8")), bench)]


def _row(record: dict[str, Any], bench: Bench) -> Row:
    curve: Sequence[float] = [entry["loss"] for entry in record["held_out_loss"]]
    fall = 1 - min(curve) / curve[0]
    ours = f"{fall:.0%} ({curve[0]:.3f} → {min(curve):.3f}, {60 * record['hours']:.0f} min with loading and evaluation)"
    return Row(figure=26, measure=MEASURE, reach="≥ 15 %", ours=ours, verdict=bench.verdict(fall >= REACH), detail=record)


def _run(*arguments: str) -> None:
    done = subprocess.run(python("-m", "practicum", *arguments), cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise MeterError(f"practicum {arguments[0]}: exit status {done.returncode}")
