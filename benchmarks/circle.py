"""The whole circle on one small machine: sessions, a data set, a fine-tuned counselor, and an arena that says whether it is better.

    python -m benchmarks.circle [--minutes 20] [--folder circle]      (`make circle`; at most an hour on two cores)

Every step is the command that a user would give. What it prints is kept in `benchmarks/circle.md`, whatever it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from practicum.dataset import example_dialogues

KEPT = Path(__file__).with_name("circle.md")
BASE, SUPERVISOR = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
PREFIXES, TURNS, SIMULATED = 12, 3, 8
BASE_BOT = """\
name = "base"
languages = ["zh"]

[model]
name = "local:{base}"

[prompt]
form = "chat"
{text}
[decoding]
temperature = 0.7
top_p = 0.9
max_tokens = 300
"""
TEST_SHARE = 0.25
"""Of the clients: some 15 of 60 dialogues, of which the arena takes the first twelve."""


class Steps:
    """Runs commands and keeps what they print."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._begun = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """Run `practicum …`, and stop at the first that fails."""
        command = " ".join(("practicum", *arguments))
        self.say(f"\n## {time.monotonic() - self._begun:,.0f} s: `{command}`\n\n```text")
        done = subprocess.run(
            [sys.executable, "-m", "practicum", *arguments], stdout=subprocess.PIPE, stderr=None, text=True, check=False, env=os.environ
        )
        for line in () if quiet else done.stdout.splitlines():
            self.say(line.rstrip())
        self.say("```")
        if done.returncode not in (0,):
            raise SystemExit(f"{command}: exit status {done.returncode}")
        return done.stdout


def hold_circle(folder: Path, minutes: float) -> Sequence[str]:
    """Go once around; return what was printed."""
    steps = Steps()
    db = f"--db=sqlite:///{folder}/circle.db"
    examples = os.path.relpath(str(example_dialogues()))  # what is kept must not name this machine's folders
    for name in (BASE, SUPERVISOR):
        steps.run("models", "pull", name, "--yes", quiet=True)
    profiles = folder / "profiles.json"
    _write_profiles(profiles)
    model = f"local:{SUPERVISOR}"
    steps.run(
        "simulate", f"--profiles={profiles}", f"--client={model}", f"--counselor={model}", "--run=simulated", "--max-exchanges=4",
        f"--limit={SIMULATED}", db,
    )  # fmt: skip
    data = folder / "data"
    steps.run(
        "curate", "simulated", examples, f"--out={data}", f"--set=split.test={TEST_SHARE}", "--set=split.dev=0.12",
        "--set=checks.off=['no_ending']", "--report", db,
    )  # fmt: skip
    tuned = folder / "tuned"
    steps.run("train", f"--data={data}", f"--base={BASE}", f"--out={tuned}", "--preset=cpu-0.5b", f"--minutes={minutes:g}")
    base = _write_base_bot(folder, tuned)
    steps.run("import", "sessions", str(data / "messages-test.jsonl"), "--run=prefixes", f"--limit={PREFIXES}", "--split=test", db)
    steps.run(
        "arena", "--continue=fixed:prefixes", f"--member=base=bot:{base}", f"--member=tuned=bot:{tuned / 'bot.toml'}",
        f"--supervisor={model}", "--orders=one", f"--max-exchanges={TURNS}", "--run=circle", db,
    )  # fmt: skip
    steps.run("rank", "circle", f"--out={folder / 'report'}", db)
    steps.say(f"\n{time.monotonic() - steps._begun:,.0f} s in all")
    return steps.lines


def _write_profiles(path: Path) -> None:
    import json

    from practicum.dataset import bundled_profiles

    path.write_text(json.dumps([profile.text for profile in bundled_profiles("zh")], ensure_ascii=False), "utf-8")


def _write_base_bot(folder: Path, tuned: Path) -> Path:
    """Write the bot that the tuned one is compared with: the same weights, prompt and decoding, without the adapter."""
    system = next(iter(tuned.glob("system.*.txt")), None)
    text = "" if system is None else f'text = "tuned/{system.name}"\n'
    path = folder / "base.toml"
    path.write_text(BASE_BOT.format(base=BASE, text=text), "utf-8")
    return path


def main() -> None:
    """Go around once, and keep what was printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.circle", description="simulate, curate, train, serve, arena on one machine")
    parser.add_argument("--minutes", type=float, default=20, help="of training at most")
    parser.add_argument("--folder", type=Path, default=Path("circle"), help="where everything goes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = hold_circle(options.folder, options.minutes)
    KEPT.write_text(
        "\n".join(["# One circle on this machine", "", "Made by `make circle`; see `benchmarks/circle.py`.", *lines, ""]), "utf-8"
    )


if __name__ == "__main__":
    main()
