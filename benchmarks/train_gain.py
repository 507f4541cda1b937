"""Figure 26: what twenty minutes of training on two cores do to the loss on clients that the model never saw.

It is the training of `make circle` (`benchmarks/circle.py`), read from the record that it left beside the model; without one, it is not
measured.
"""

from __future__ import annotations

import json

from benchmarks.bench import Bench
from benchmarks.meter import ROOT
from benchmarks.table import Row, Verdict

RECORD = ROOT / "circle" / "tuned" / "run.json"
REACH = 0.15
MEASURE = "LoRA on the 0.5B, at most 20 minutes on 2 cores: fall of the loss on unseen clients"


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    if not RECORD.exists():
        return [Row(figure=26, measure=MEASURE, reach="≥ 15 %", ours="run `make circle` first", verdict=Verdict.NOT_MEASURED)]
    record = json.loads(RECORD.read_text("utf-8"))
    curve = [entry["loss"] for entry in record["held_out_loss"]]
    fall = 1 - min(curve) / curve[0]
    minutes = 60 * record["hours"]
    ours = f"{fall:.0%} ({curve[0]:.3f} → {min(curve):.3f}, {minutes:.0f} min with loading and evaluation)"
    return [Row(figure=26, measure=MEASURE, reach="≥ 15 %", ours=ours, verdict=bench.verdict(fall >= REACH), detail={"curve": curve})]
