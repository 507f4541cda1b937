"""Several processes that train together, as `accelerate launch` starts them: on CPUs here, over loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from practicum.training import is_first_process
from tests.training.test_trainer import dataset
from tests.training.tiny_models import tiny_model

pytest.importorskip("torch")
pytest.importorskip("trl")

LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
LOCAL = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def train(launch: tuple[str, ...], data: Path, base: Path, out: Path, batch: int) -> tuple[dict[str, Any], str]:
    settings = {"batch": batch, "accumulate": 1, "rate": 5e-3, "context": 256, "precision": "float32", "evaluations": 2}
    command = [*launch, "-m", "practicum", "train", f"--data={data}", f"--base={base}", f"--out={out}"]
    command += [f"--set={name}={value}" for name, value in settings.items()]
    done = subprocess.run(command, env=os.environ | LOCAL, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    record: dict[str, Any] = json.loads((out / "run.json").read_text("utf-8"))
    return record, done.stdout


def test_two_processes_learn_what_one_learns_and_one_of_them_speaks(tmp_path: Path) -> None:
    model, tokenizer = tiny_model("qwen2")
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "base")
    dataset(tmp_path, count=20)
    alone, _ = train((sys.executable,), tmp_path, tmp_path / "base", tmp_path / "alone", batch=2)
    together, said = train(LAUNCH, tmp_path, tmp_path / "base", tmp_path / "together", batch=1)
    assert together["steps"] == alone["steps"] == 16
    for name in ("loss", "held_out_loss"):
        curves = [{entry["step"]: entry["loss"] for entry in record[name]} for record in (together, alone)]
        assert curves[0] == pytest.approx(curves[1], rel=2e-3)
    assert said.count("method     lora") == said.count("with run.json and a card") == 1


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_the_first_process_is_known_by_its_rank(rank: str | None, first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_first_process() is first
