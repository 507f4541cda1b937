"""`practicum demo`: the whole tour on bundled profiles and a model that fits on any machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from practicum.cli.console import tell
from practicum.cli.options import Db
from practicum.core import Language

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from practicum.build import Plan
    from practicum.engine import RunResult

FOLDER = Path("practicum-demo")
DEMO_DB = f"sqlite:///{FOLDER}/practicum.db"
DEMO_MODEL = "local:qwen2.5-coder-1.5b"
LOCAL_SETTINGS: Mapping[str, object] = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 120}
"""For a local model, whose small kind rambles and drifts at the paper's temperature of 1."""

DEMO_SEED = 2
"""Chosen, not typical: of a few sessions that we read, this one keeps to the story best. A small model's next may be worse."""

INTRODUCTION: Mapping[Language, str] = {
    "zh": "一次完整的心理咨询模拟：两把椅子上都是语言模型，来访者的故事是虚构的。这不是治疗。\n"
    "One simulated counseling session in Chinese (--language en: in English); the client's story is fiction. This is not therapy.",
    "en": "One simulated counseling session, language models in both chairs (--language zh: in Chinese).\n"
    "The client's story is fiction. This is not therapy.",
}

ARENA_INTRODUCTION: Mapping[Language, str] = {
    "zh": "一个小小的竞技场：三位咨询师（一位故意做得差）回应同样的来访者，督导逐句挑选。全部由语言模型扮演，这不是治疗。\n"
    "A small arena in Chinese (--language en: in English): three counselors, one bad on purpose, and a supervisor. This is not therapy.",
    "en": "A small arena (--language zh: in Chinese): three counselors, one bad on purpose, answer the same clients, and a supervisor\n"
    "picks reply by reply. All of them are language models. This is not therapy.",
}


def demo(
    language: Annotated[Language, typer.Option("--language", help="Language of the session.")] = "zh",
    client: Annotated[str, typer.Option("--client", metavar="MODEL", help="The client's model.")] = DEMO_MODEL,
    counselor: Annotated[str, typer.Option("--counselor", metavar="MODEL", help="The counselor's model.")] = DEMO_MODEL,
    db: Db = DEMO_DB,
    max_exchanges: Annotated[
        int | None, typer.Option("--max-exchanges", metavar="N", help="Most exchanges of a session; default: 6, in the arena 3.")
    ] = None,
    arena: Annotated[
        bool, typer.Option("--arena", help="Three counselors compete before two clients, one of them bad on purpose; then the ranking.")
    ] = False,
) -> None:
    """Hold one session live, on a model that runs here, and export it; or a small arena.

    The default model (1.1 GB, Apache-2.0) is fetched if it is not here; size and source are told first. A second time,
    the session goes on where it was cut, or is shown again.
    """
    from practicum.build import plan_run
    from practicum.cli.simulate import refuse_memory
    from practicum.cli.summary import print_plan, print_summary, read_run, status_of
    from practicum.dataset import Format, bundled_profiles, export_run
    from practicum.engine import read_config

    print((ARENA_INTRODUCTION if arena else INTRODUCTION)[language], end="\n\n", flush=True)
    refuse_memory(db)
    _fetch_models([client, counselor])
    if arena:
        from practicum.cli.demo_arena import hold_demo_arena

        FOLDER.mkdir(exist_ok=True)
        raise typer.Exit(hold_demo_arena(language, client, counselor, db, max_exchanges or 3))
    flags: dict[str, object] = {
        "seed": DEMO_SEED,
        "client.model": client,
        "counselor.model": counselor,
        "max_exchanges": max_exchanges or 6,
        "language": language,
    }
    for chair, model in (("client", client), ("counselor", counselor)):
        if model.startswith("local:"):
            flags |= {f"{chair}.{key}": value for key, value in LOCAL_SETTINGS.items()}
    plan = plan_run(read_config(flags), bundled_profiles(language)[:1], settings={"profiles": "bundled"})
    if db == DEMO_DB:
        FOLDER.mkdir(exist_ok=True)
    print_plan(plan, db)
    result = _hold(plan, db, language)
    print()
    print_summary(plan.config, result, read_run(result.run, db))
    if status := status_of(result):
        tell("practicum: the session is not over; `practicum demo` goes on with it")
        raise typer.Exit(status)
    report = export_run(result.run, form=Format.SHAREGPT, out=FOLDER, include_risk=True, db=db)
    for line in report.lines():
        print(line)
    _print_what_next(result.run, db)


def _fetch_models(names: Iterable[str]) -> None:
    """Fetch the catalog models among these, size and source told first."""
    from practicum.backends import describe, find_model, is_present, read_model_name
    from practicum.cli.models import fetch

    for name in dict.fromkeys(names):
        named = read_model_name(name)
        if named.backend == "local" and not named.name.endswith(".gguf"):
            model = find_model(named.name)
            if not is_present(model):
                print(describe(model), end="\n\n", flush=True)
                fetch(model)


def _hold(plan: Plan, db: str, language: Language) -> RunResult:
    """Hold the session aloud; what was said in an earlier command is said again first."""
    from practicum.build import hold_run
    from practicum.cli.live import in_lines
    from practicum.cli.meter import Meter
    from practicum.cli.transcript import Narrator
    from practicum.engine import Progress

    print(f"story      {plan.profiles[0].text}", end="\n\n", flush=True)
    _print_earlier_turns(plan, db, language)
    narrator, progress = Narrator(language), Progress()
    with in_lines(Meter(progress, plan.config), every=math.inf):  # its notes only
        result = hold_run(plan, db=db, progress=progress, watcher=narrator, signals=True)
    if not narrator.turns and not result.stopped:
        print("\nthis session was held before, and is kept: another --client, --counselor or --language holds another one")
    return result


def _print_earlier_turns(plan: Plan, db: str, language: Language) -> None:
    from practicum.cli.transcript import print_turn
    from practicum.store import Store

    key = next(plan.sessions()).key
    with Store.open(db) as store:
        known = any(run.name == plan.name for run in store.runs())
        for session in store.sessions(plan.name) if known else ():
            for turn in session.turns if session.key == key else ():
                print_turn(turn, language)


def _print_what_next(run: str, db: str) -> None:
    from practicum.cli.options import shown_url

    print(f"\nthe store    {shown_url(db)}")
    print(f"the data set {FOLDER}/data.json, with {FOLDER}/dataset_info.json for LLaMA-Factory")
    print("\nnext")
    print(f"  practicum show {run} 1 --db {shown_url(db)}")
    print("  practicum simulate --profiles YOUR.json --client MODEL --counselor MODEL")
    print("  practicum doctor MODEL   checks a model before you use it, e.g. openai:gpt-4.1, ollama:qwen2.5:7b")
