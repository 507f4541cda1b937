"""Figure 27: tokens a second of `practicum train` against plain TRL, on the catalog's 0.5B with the same sessions and settings.

Plain TRL is what its documentation says: conversational rows, `assistant_only_loss`, its own template for Qwen2.5, rows at random. Ours
masks and orders by itself, and has a loss and an attention that suit a CPU. Both train the same adapter on the same sessions, in the same
precision, in a process of their own, in turns; tokens are those of the sessions (padding is no work that anybody wants), over the seconds
of training alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row, Verdict

REACH = 1.0
BASE = "qwen2.5-coder-0.5b"
SESSIONS, ROUNDS, BATCH, CONTEXT = 12, 2, 2, 1024
MEASURE = f"training, tokens/s of the {BASE} on a CPU: ours against plain TRL with the same settings"


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    if find_spec("trl") is None or find_spec("torch") is None:
        return [_row("trl or torch is not installed", Verdict.NOT_MEASURED, {})]
    sessions, rounds = (4, 1) if bench.quick else (SESSIONS, ROUNDS)
    found: dict[str, list[float]] = {"ours": [], "trl": []}
    for _ in range(rounds):
        for who, rates in found.items():
            rates.append(_measure_child(who, sessions))
    ours, plain = max(found["ours"]), max(found["trl"])
    return [_row(f"{ours / plain:.2f} × ({ours:.1f} against {plain:.1f} tokens/s)", bench.verdict(ours >= REACH * plain), found)]


def _row(ours: str, verdict: Verdict, detail: dict[str, Any]) -> Row:
    return Row(figure=27, measure=MEASURE, reach=f"≥ {REACH:.1f} ×", ours=ours, verdict=verdict, detail=detail)


def _measure_child(who: str, sessions: int) -> float:
    command = python("-m", "benchmarks.train_speed", who, f"--sessions={sessions}")
    run = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    if run.returncode:
        raise MeterError(f"train_speed failed: exit status {run.returncode}\n{run.stderr[-3000:]}")
    return float(json.loads(run.stdout.splitlines()[-1])["tokens_per_second"])


def _rows(sessions: int) -> list[dict[str, Any]]:
    from practicum.core import Speaker, Turn
    from practicum.dataset import example_dialogues, read_corpus
    from practicum.dataset.rows import alternate

    found: list[dict[str, Any]] = []
    for talk in read_corpus(example_dialogues()):
        turns, _ = alternate([Turn(index=index, speaker=line.speaker, text=line.text) for index, line in enumerate(talk.lines)])
        roles = {Speaker.CLIENT: "user", Speaker.COUNSELOR: "assistant"}
        if 4 <= len(turns) <= 10:
            found.append({"id": talk.id, "messages": [{"role": roles[turn.speaker], "content": turn.text} for turn in turns]})
        if len(found) == sessions:
            return found
    return found


def _precision() -> str:
    """What both compute in: 16 bits where the processor has units for it."""
    from practicum.training.cpu import has_fast_bfloat16

    return "bfloat16" if has_fast_bfloat16() else "float32"


def _ours(rows: list[dict[str, Any]], folder: Path, base: str, tokenizer: Any) -> float:
    from practicum.training import TrainConfig, encode_rows, fine_tune

    file = folder / "messages-train.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    encoded = encode_rows(tokenizer, file, CONTEXT)
    config = TrainConfig(
        data=str(folder),
        base=BASE,
        out=str(folder / "out"),
        batch=BATCH,
        accumulate=1,
        epochs=1,
        context=CONTEXT,
        precision=_precision(),
        patience=0,
    )
    learnt = fine_tune(config, base, tokenizer, encoded, None, lambda _: None)
    return encoded.tokens / learnt.course.seconds


def _plain(rows: list[dict[str, Any]], folder: Path, base: str, tokenizer: Any) -> float:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from practicum.training import TrainConfig

    lora = TrainConfig(data="", base="", out="").lora
    arguments = SFTConfig(
        output_dir=str(folder / "out"), per_device_train_batch_size=BATCH, gradient_accumulation_steps=1, num_train_epochs=1,
        max_length=CONTEXT,
        assistant_only_loss=True, learning_rate=1e-4, use_cpu=True, bf16=_precision() == "bfloat16",
        gradient_checkpointing=False, save_strategy="no",
        report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, _precision())),
        args=arguments,
        train_dataset=Dataset.from_list([{"messages": row["messages"]} for row in rows]),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=list(lora.modules), task_type="CAUSAL_LM"),
    )
    tokens = sum(len(tokenizer.apply_chat_template(row["messages"], tokenize=True, return_dict=False)) for row in rows)
    begun = time.monotonic()
    trainer.train()
    return tokens / (time.monotonic() - begun)


def main() -> None:
    """Train once, one way, and print the rate."""
    import torch

    from practicum.backends import free_cores
    from practicum.build.training import load_tokenizer

    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=["ours", "trl"])
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    options = parser.parse_args()
    torch.set_num_threads(free_cores())
    base, tokenizer = load_tokenizer(BASE)
    way = _ours if options.who == "ours" else _plain
    with tempfile.TemporaryDirectory() as folder:
        rate = way(_rows(options.sessions), Path(folder), base, tokenizer)
    print(json.dumps({"tokens_per_second": rate}))


if __name__ == "__main__":
    main()
