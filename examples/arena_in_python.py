"""Three counselors answer the same clients, a supervisor chooses, and a ranking says who is better: no model is needed.

Put real models in the place of the scripts (`openai:gpt-4.1`, `vllm:NAME`) and the rest stays as it is.
"""

from practicum.arena import judge, rank, read_arena_config, read_log
from practicum.build import hold_arena, plan_arena
from practicum.dataset import bundled_profiles

CONFIG = {
    "client.model": "script:always It keeps me awake, and I cannot say why.",
    "members": {
        "asks": {"model": "script:always When did you notice it first?"},
        "listens": {"model": "script:always Awake, and without a word for it."},
        "advises": {"model": "script:always You should go to bed earlier."},
    },
    # No judge at all: labels are drawn from A to H for each asking, so A is anybody, and often nobody.
    "supervisors": {"dice": {"model": "script:always Verdict: A"}},
    "max_exchanges": 4,
    "run": "dice",
}


def main() -> None:
    hold_arena(plan_arena(read_arena_config(CONFIG), bundled_profiles("en")))
    log = read_log(["dice"])
    for rater in judge(log).raters:  # before any ranking
        print(f"{rater.rater}: {rater.invalid} of {rater.ballots} ballots invalid, {rater.consistent} of {rater.in_orders} consistent")
    for one in rank(log).standings:
        ranks = f"{one.ranks.best} to {one.ranks.worst}" if one.ranks else "unknown"
        print(f"{one.counselor}: rating {one.rating:,.0f}, rank {ranks}, chosen {one.selections} of {one.offered} times")


if __name__ == "__main__":
    main()
