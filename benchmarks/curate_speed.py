"""Figure 24: a hundred thousand sessions are curated at two thousand a second, in one gigabyte, and twice as many take twice as long.

The sessions are made of the 60 dialogues that the package ships: exchanges of three of them in one, a tenth of the characters
replaced by others; one in five is a near copy of an earlier one, so that there is something to find. `curate` runs on them in a
process of its own, with a worker for each core. Memory is the largest resident set of the parent and, for each worker, that of
the largest of them: their sum is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row

Turns = list[dict[str, str]]
COPIES = 0.2
"""Share of sessions that nearly repeat an earlier one."""
EARLIER = 500
"""How far back the one that is repeated lies at most."""


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row: the speed of the large set, its memory, and its speed in parts of that of a quarter."""
    sizes = (2_000, 4_000) if bench.quick else (25_000, 100_000)
    quarter, whole = (measure_size(bench.folder, size) for size in sizes)
    # In CPU seconds: the neighbours may have taken a core from one of the two, and not from the other.
    slowdown = quarter["per_cpu_second"] / whole["per_cpu_second"]
    return [
        Row(
            figure=24,
            measure=f"curate {sizes[1]:,} sessions: sessions/s on {os.cpu_count()} cores · a CPU second · peak RSS, workers included · "
            f"slowdown against {sizes[0]:,} in CPU",
            reach="≥ 2,000/s · – · ≤ 1 GiB · ≤ 1.15",
            ours=f"{whole['per_second']:,.0f}/s · {whole['per_cpu_second']:,.0f} · {whole['rss_mib']:,.0f} MiB · {slowdown:.2f}",
            verdict=bench.verdict(whole["per_second"] >= 2000 and whole["rss_mib"] <= 1024 and slowdown <= 1.15),
            detail={"quarter": quarter, "whole": whole},
        )
    ]


def measure_size(folder: Path, size: int) -> dict[str, Any]:
    """Curate so many sessions in a process of its own; `MeterError` if that fails."""
    corpus = folder / f"sessions-{size}.jsonl"
    if not corpus.exists():
        write_sessions(corpus, size)
    command = python("-m", "benchmarks.curate_speed", "--corpus", str(corpus), "--out", str(folder / f"dataset-{size}"))
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MeterError(f"curation failed: exit status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_sessions(path: Path, size: int) -> None:
    """Write so many made-up sessions, the same ones every time."""
    from practicum.dataset import example_dialogues

    dialogues = [json.loads(line)["turns"] for line in example_dialogues().read_text("utf-8").splitlines()]
    letters = sorted({char for turns in dialogues for turn in turns for char in turn["text"] if char.isalpha()})
    with path.open("w", encoding="utf-8") as file:
        for number, turns in enumerate(_sessions(dialogues, letters, random.Random(24), size)):
            file.write(json.dumps({"id": f"s{number}", "turns": turns}, ensure_ascii=False) + "\n")


def _sessions(dialogues: Sequence[Turns], letters: Sequence[str], chance: random.Random, size: int) -> Iterator[Turns]:
    earlier: list[Turns] = []
    for _ in range(size):
        if earlier and chance.random() < COPIES:
            yield _perturbed(chance.choice(earlier), letters, chance, 0.01)
            continue
        parts = chance.sample(dialogues, 3)
        mixed = [turn for place, turns in enumerate(parts) for turn in (turns[:4], turns[2:6], turns[-4:])[place]]
        made = _perturbed(mixed, letters, chance, 0.1)
        earlier.append(made)
        if len(earlier) > EARLIER:
            del earlier[0]
        yield made


def _perturbed(turns: Turns, letters: Sequence[str], chance: random.Random, share: float) -> Turns:
    """Return the turns with a share of their letters replaced; punctuation stays."""
    changed = []
    for turn in turns:
        text = list(turn["text"])
        for place in chance.sample(range(len(text)), max(1, int(len(text) * share))):
            if text[place].isalpha():
                text[place] = chance.choice(letters)
        changed.append(turn | {"text": "".join(text)})
    return changed


def main() -> None:
    """Curate in this process and its workers; print what it took as JSON."""
    parser = argparse.ArgumentParser(description="Curates a corpus.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    from practicum.dataset import CurateConfig, curate, find_sources

    config = CurateConfig()
    begun = time.perf_counter()
    report = curate(find_sources([options.corpus]), config, options.out)
    seconds = time.perf_counter() - begun
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, worker = (usage.ru_maxrss for usage in usages)
    cpu_s = [usage.ru_utime + usage.ru_stime for usage in usages]
    found = {
        "sessions": report.read,
        "seconds": seconds,
        "per_second": report.read / seconds,
        "per_cpu_second": report.read / sum(cpu_s),
        "parent_cpu_s": cpu_s[0],
        "workers_cpu_s": cpu_s[1],
        "rss_mib": (own + worker * (os.cpu_count() or 1)) / 1024,
        "parent_mib": own / 1024,
        "worker_mib": worker / 1024,
        "written": {split: size.sessions for split, size in report.written.items()},
        "dropped": dict(report.dropped),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
