"""Two sessions without any model: bundled profiles, scripted lines, a store and a data set in the current folder.

Put real models in the place of the scripts (`openai:gpt-4.1`, `vllm:NAME`) and the rest stays as it is.
"""

from pathlib import Path

import practicum
from practicum.dataset import bundled_profiles

CLIENT = """\
It begins on Sunday afternoons, with my stomach.
I think of the week, and of whom I will let down.
My wife would say that I am not really there.
I never told anybody that.
"""
COUNSELOR = """\
Hello, where would you like to begin?
What goes through your mind when it begins?
Who notices it first?
What would it be like to tell her?
"""


def main() -> None:
    Path("client.txt").write_text(CLIENT, "utf-8")
    Path("counselor.txt").write_text(COUNSELOR, "utf-8")
    result = practicum.simulate(
        bundled_profiles("en")[:2],
        client="script:client.txt",
        counselor="script:counselor.txt",
        max_exchanges=4,
        client__temperature=0.7,
    )
    print(f"run {result.run} in {result.store}, complete: {result.complete}")
    for session in practicum.read_sessions(result.run):
        print(f"\n{session.profile.id}: {session.ending}, {session.exchanges} exchanges")
        for turn in session.turns:
            print(f"  {turn.speaker}: {turn.text}")


if __name__ == "__main__":
    main()
