"""Watch sessions while they are held: every turn is printed once it is durable.

Usage: python watch_a_run.py [CLIENT COUNSELOR], e.g. `ollama:qwen2.5:7b ollama:qwen2.5:7b`; without them, no model is needed.
"""

import sys

import practicum
from practicum.dataset import bundled_profiles

SCRIPTS = "script:always 我说不上来，就是心里堵得慌。", "script:always 堵的时候，你会想到谁？"


class Printer:
    """A `practicum.engine.Watcher`. It is called on the event loop: be quick."""

    def turn(self, session: str, turn: practicum.Turn) -> None:
        """Print a turn that is durable."""
        marks = ", ".join(turn.state)  # risk, check: what was found in the turn
        print(f"{session[:6]} {turn.index:>3} {turn.speaker:<9} {turn.text}{f'  [{marks}]' if marks else ''}")

    def ended(self, session: str, ending: practicum.Ending | None) -> None:
        """Print why a session is over; None: it was put aside, to go on another time."""
        print(f"{session[:6]} ended: {ending or 'put aside'}")


def main() -> None:
    client, counselor = sys.argv[1:] or SCRIPTS
    result = practicum.simulate(bundled_profiles("zh")[:2], client=client, counselor=counselor, max_exchanges=3, watcher=Printer())
    print(f"{result.progress.turns} turns, {result.progress.refused} replies refused by the check; sessions: {dict(result.sessions)}")


if __name__ == "__main__":
    main()
