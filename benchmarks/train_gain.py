"""Figure 26: what twenty minutes of training on two cores do to the loss on clients that the model never saw.

On the CPsyCounD dialogues of `../shared`, through `practicum curate` and `practicum train` with the preset for this machine; and, read from
the record that `make circle` left beside its model, on the forty sessions of the circle. Which corpus it is matters more than how long one
trains: a writer of few habits is soon learnt.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row, Verdict

CORPUS = ROOT.parent / "shared" / "data" / "dialogues" / "cpsycound-sample.jsonl"
CIRCLE = ROOT / "circle" / "tuned" / "run.json"
BASE, PRESET, MINUTES = "qwen2.5-coder-0.5b", "cpu-0.5b", 20
REACH = 0.15


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the corpus and one for the circle."""
    found = _train(bench.folder, 1 if bench.quick else MINUTES) if CORPUS.exists() else None
    return [_row("the CPsyCounD sample", found, bench), _row("the sessions of `make circle`", CIRCLE if CIRCLE.exists() else None, bench)]


def _row(what: str, record: Path | None, bench: Bench) -> Row:
    measure = f"LoRA on the 0.5B, at most {MINUTES} minutes on 2 cores, {what}: fall of the loss on unseen clients"
    if record is None:
        return Row(figure=26, measure=measure, reach="≥ 15 %", ours="it is not here", verdict=Verdict.NOT_MEASURED)
    found = json.loads(record.read_text("utf-8"))
    curve: Sequence[float] = [entry["loss"] for entry in found["held_out_loss"]]
    fall = 1 - min(curve) / curve[0]
    ours = f"{fall:.0%} ({curve[0]:.3f} → {min(curve):.3f}, {60 * found['hours']:.0f} min with loading and evaluation)"
    found["config"] = {name: value for name, value in found["config"].items() if name not in ("data", "out")}  # folders of this machine
    detail = {name: found[name] for name in ("config", "rows", "held_out_loss", "stopped", "hours", "versions", "hardware")}
    return Row(figure=26, measure=measure, reach="≥ 15 %", ours=ours, verdict=bench.verdict(fall >= REACH), detail=detail)


def _train(folder: Path, minutes: float) -> Path:
    data, out = folder / "sessions", folder / "counselor"
    _run("models", "pull", BASE, "--yes")
    _run("curate", str(CORPUS), f"--out={data}", "--set=split.test=0.1", "--set=split.dev=0.08", "--set=checks.off=['no_ending']")
    _run("train", f"--data={data}", f"--base={BASE}", f"--preset={PRESET}", f"--out={out}", f"--minutes={minutes:g}", "--set=epochs=1")
    return out / "run.json"


def _run(*arguments: str) -> None:
    done = subprocess.run(python("-m", "practicum", *arguments), cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise MeterError(f"practicum {arguments[0]}: exit status {done.returncode}")
