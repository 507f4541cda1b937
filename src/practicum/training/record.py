"""What a training leaves beside its model: a record for machines, a card for people, a bot that speaks with it."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from practicum.core import guess_language
from practicum.core.version import VERSION
from practicum.training.config import TrainConfig
from practicum.training.rows import DEV, TRAIN, Rows, read_messages
from practicum.training.trainer import Learnt

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")
RECORD, CARD, BOT = "run.json", "README.md", "bot.toml"


def describe(config: TrainConfig, train: Rows | None, dev: Rows | None, learnt: Learnt, *, seconds: float) -> dict[str, Any]:
    """Return the record of a training: what went in, on what, and how it went."""
    course = learnt.course
    return {
        "practicum": VERSION,
        "config": config.model_dump(mode="json"),
        "base": config.base,
        "data": _data(Path(config.data)),
        "rows": {name: _rows(rows) for name, rows in (("train", train), ("dev", dev)) if rows is not None},
        "steps": course.step,
        "planned_steps": course.steps,
        "stopped": course.stopped,
        "resumed_from": learnt.resumed_from,
        "loss": [{"step": step, "loss": round(loss, 5)} for step, loss in course.losses],
        "held_out_loss": [{"step": step, "loss": round(loss, 5)} for step, loss in course.held_out],
        "hours": round(seconds / 3600, 4),
        "versions": dict(_versions()),
        "hardware": _hardware(),
    }


def _data(path: Path) -> dict[str, Any]:
    names = [path] if path.is_file() else [path / TRAIN, path / DEV]
    digests = {name.name: sha256(name.read_bytes()).hexdigest() for name in names if name.exists()}
    manifest = path / "manifest.json"
    return {"path": path.name, "sha256": digests, "manifest": sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else None}


def _rows(rows: Rows) -> dict[str, int]:
    return {
        "sessions": rows.sessions,
        "windows": len(rows.windows),
        "sessions_split": rows.split,
        "tokens": rows.tokens,
        "tokens_in_the_loss": rows.learnt,
    }


def _versions() -> list[tuple[str, str]]:
    found = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def _hardware() -> dict[str, Any]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return {"gpus": gpus, "cores": os.cpu_count(), "machine": platform.machine(), "processes": int(os.environ.get("WORLD_SIZE", "1"))}


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write record and card into the folder of a training."""
    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    from jinja2 import Environment, StrictUndefined

    source = (files("practicum.training") / "model_card.md.jinja").read_text("utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - Markdown
    (out / CARD).write_text(environment.from_string(source).render(record), "utf-8")


def write_bot(out: Path, *, name: str, model: str, lora: Path | None, systems: Mapping[str, str]) -> Path:
    """Write the bot that speaks with a trained model: the system prompt is the one that it was trained under.

    Args:
        out: The folder of the training.
        name: The bot's.
        model: What answers, `BACKEND:NAME`.
        lora: An adapter in the same folder.
        systems: Languages to the system prompt of most sessions; without one, none is sent.
    """
    lines = [
        f'name = "{name}"',
        f"languages = {orjson.dumps(sorted(systems) or ['zh', 'en']).decode()}",
        "",
        "[model]",
        f'name = "{model}"',
    ]
    if lora is not None:
        lines.append(f'lora = "{lora.name}"')
    lines += ["", "[prompt]", 'form = "chat" # as it was trained']
    if systems:
        language, text = next(iter(systems.items()))
        (out / f"system.{language}.txt").write_text(text, "utf-8")
        lines.append(f'text = "system.{language}.txt"')
    lines += ["", "[decoding]", "temperature = 0.7", "top_p = 0.9", "max_tokens = 300", ""]
    path = out / BOT
    path.write_text("\n".join(lines), "utf-8")
    return path


def find_systems(file: Path) -> dict[str, str]:
    """Return the system prompt of most training sessions, under its language; nothing if they have none."""
    counts = Counter(messages[0]["content"] for _, messages in read_messages(file) if messages[0]["role"] == "system")
    if not counts:
        return {}
    [(text, _)] = counts.most_common(1)
    return {guess_language(text): text}
