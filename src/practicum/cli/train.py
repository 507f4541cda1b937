"""`practicum train`: a data set in, a counselor model out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from practicum.cli.console import colored, duration, print_json, tell
from practicum.cli.options import Config, Json, Settings
from practicum.errors import ConfigError

if TYPE_CHECKING:
    from practicum.build import Trained, TrainingPlan
    from practicum.training import Course, TrainConfig, Watch

Method = Literal["lora", "qlora", "full", "dpo"]


def train(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATASET", help="A folder that `practicum curate` has written; for dpo, preference pairs."),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="MODEL", help="A Hugging Face folder or id, a name of the catalog, or a GGUF file.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FOLDER", help="Where the model goes; the same command goes on there.")
    ] = None,
    method: Annotated[
        Method | None, typer.Option("--method", help="lora (the default), qlora, full, or dpo on an arena's preferences.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="Settings for a machine; --preset list shows them.")
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", metavar="N", help="Stop after so long, at the next step.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Of order, adapter and dropout; default: 0.")] = None,
    show_mask: Annotated[
        int, typer.Option("--show-mask", metavar="N", help="Print the first N sessions, what is learnt in colour, and train nothing.")
    ] = 0,
    export: Annotated[
        Literal["llamafactory"] | None, typer.Option("--export", help="Write a configuration for another trainer, and train nothing.")
    ] = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Fine-tune a counselor on a data set; on several GPUs the same under `accelerate launch`.

    Loss is taken on the counselor's turns only, sessions longer than the context are split at turn borders, and the loss on unseen
    profiles is taken on the way. The same command goes on after a crash.

    Exits with 0 once trained, 1 if it failed, 2 if the command is wrong.
    """
    from practicum.build import hold_training, plan_training
    from practicum.training import is_first_process

    if preset == "list":
        _print_presets()
        return
    flags = {"data": data, "base": base, "out": out, "method": method, "minutes": minutes, "seed": seed}
    wanted = _read(flags, preset, config, settings or [])
    if show_mask:
        _print_mask(wanted, show_mask)
        return
    if export:
        from practicum.training import write_factory

        print(f"llamafactory-cli train {write_factory(wanted, Path(wanted.out))}")
        return
    plan = plan_training(wanted)
    first = is_first_process()
    if first and not json:
        _print_plan(plan)
    with _shown(json=json, first=first) as watch:
        trained = hold_training(plan, watch)
    if first:
        _print_outcome(trained, json=json)


def _read(flags: dict[str, Any], preset: str | None, config: Path | None, settings: list[str]) -> TrainConfig:
    from practicum.engine import read_tree
    from practicum.training import TrainConfig, presets

    known = presets()
    if preset is not None and preset not in known:
        raise ConfigError(f"--preset {preset!r}: expected one of {', '.join(known)}")
    chosen = {key: value for key, value in known.get(preset or "", {}).items() if key != "about"}
    return read_tree(TrainConfig, flags, file=config, settings=settings, under=chosen)


def _print_presets() -> None:
    from practicum.training import presets

    for name, preset in presets().items():
        print(f"{name:<12}{preset['about']}")


def _print_mask(config: TrainConfig, sessions: int) -> None:
    from practicum.build.training import show_mask

    for name, pieces in show_mask(config, sessions):
        print(colored(f"── {name}", "", bold=True))
        print("".join(colored(text, "green") if learnt else text for text, learnt in pieces))
    print("green: learnt" if colored("x", "green") != "x" else "(no terminal: nothing is coloured)")


def _print_plan(plan: TrainingPlan) -> None:
    config = plan.config
    print(f"base       {config.base}")
    print(f"method     {config.method}")
    for name, rows in (("learn from", plan.train), ("held out", plan.dev)):
        if rows is not None:
            print(
                f"{name:<10} {rows.sessions:,} sessions, {len(rows.windows):,} rows, {rows.learnt:,} of {rows.tokens:,} tokens in the loss"
            )
    for note in plan.notes:
        print(f"note       {note}")
    print(f"out        {config.out}", flush=True)


@contextmanager
def _shown(*, json: bool, first: bool) -> Iterator[Watch]:
    """Yield what shows a training: a bar on a terminal, a line an evaluation otherwise."""
    import sys

    if not first:
        yield lambda _: None
        return
    if not sys.stderr.isatty() or json:
        yield _Lines(json=json).show
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("loading")

        def show(course: Course) -> None:
            progress.update(task, completed=course.step, total=course.steps, description=_describe(course))

        yield show


def _describe(course: Course) -> str:
    parts = [f"loss {course.losses[-1][1]:.3f}"] if course.losses else []
    if course.held_out:
        parts.append(f"unseen {course.held_out[-1][1]:.3f}")
    if course.seconds and course.tokens:
        parts.append(f"{course.tokens / course.seconds:,.0f} tok/s")
    return ", ".join(parts)


class _Lines:
    """A line an evaluation, or an object a line."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._told = 0

    def show(self, course: Course) -> None:
        if len(course.held_out) <= self._told:
            return
        self._told = len(course.held_out)
        if self._json:
            print_json({"step": course.step, "of": course.steps, "unseen_loss": course.held_out[-1][1]}, to_stderr=True, indent=False)
        else:
            left = course.seconds_left
            tell(f"step {course.step:,} of {course.steps:,}: {_describe(course)}" + (f", {duration(left)} left" if left else ""))


def _print_outcome(trained: Trained, *, json: bool) -> None:
    record = trained.record
    if json:
        print_json(record)
        return
    curve = record["held_out_loss"]
    if len(curve) > 1:
        first, best = curve[0]["loss"], min(entry["loss"] for entry in curve)
        print(f"unseen     {first:.3f} → {best:.3f} ({(best - first) / first:+.0%})")
    print(f"steps      {record['steps']:,} of {record['planned_steps']:,}" + (f": {record['stopped']}" if record["stopped"] else ""))
    print(f"time       {duration(3600 * record['hours'])}")
    print(f"model      {trained.out}, with run.json and a card")
    if trained.bot is not None:
        print(f"\nnext\n  practicum chat {trained.bot}\n  practicum serve --bots {trained.bot}")
