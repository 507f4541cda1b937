"""`practicum rank`: how far the judge can be trusted, and which counselor is better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from practicum.cli.console import count, tell
from practicum.cli.options import DEFAULT_DB, Db, Json
from practicum.errors import NotIdentifiedError

if TYPE_CHECKING:
    from practicum.arena import ChoiceLog, JudgeCard, Ranking

ClusterName = Literal["profile", "session", "choice"]
"""`practicum.arena.results.Cluster`, for the help; that room is loaded when it is used."""


def rank(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names of runs; their choices are counted together.")],
    cluster: Annotated[ClusterName, typer.Option("--cluster", help="What counts as one independent draw for an interval.")] = "profile",
    anchor: Annotated[str | None, typer.Option("--anchor", metavar="NAME", help="Whose rating is 1000. Default: the mean is.")] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="Leave out this counselor, and the choices that it was offered in."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables (CSV, Markdown, LaTeX, JSON) and plots.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the resampling behind the intervals.")] = 0,
    db: Db = DEFAULT_DB,
    json: Json = False,
) -> None:
    """Print the judge card of a run's choices, then the ranking of its counselors."""
    from practicum.arena import read_log
    from practicum.cli.ranking import print_ranking

    log = read_log(runs, db=db)
    if without:
        log = log.without(without)
    if json:
        card, ranking = _print_json(log, cluster, anchor, seed)
    else:
        card, ranking = print_ranking(log, cluster=cluster, anchor=anchor, seed=seed)
    if out is not None:
        _write(ranking, card, out, quiet=json)


def _print_json(log: ChoiceLog, cluster: ClusterName, anchor: str | None, seed: int) -> tuple[JudgeCard, Ranking]:
    from practicum.arena import judge
    from practicum.arena import rank as rank_log
    from practicum.report import card_notes, ranking_notes, to_json

    card = judge(log, seed=seed)
    try:
        ranking = rank_log(log, cluster=cluster, anchor=anchor, seed=seed)
    except NotIdentifiedError:
        print(to_json(None, card, card_notes(card)).decode(), end="", flush=True)
        raise
    print(to_json(ranking, card, (*card_notes(card), *ranking_notes(ranking))).decode(), end="")
    return card, ranking


def _write(ranking: Ranking, card: JudgeCard, out: Path, *, quiet: bool) -> None:
    from practicum.report import write_report

    written = write_report(ranking, card, out)
    say = tell if quiet else print
    say(f"report     {out}: {count(len(written.files), 'file')}, begin with report.md")
    for note in written.notes:
        tell(f"note       {note.text}")


def write_tables(run: str, db: str, out: Path) -> None:
    """Write the tables and plots of a run, where its choices determine strengths; say so where they do not."""
    from practicum.arena import judge, read_log
    from practicum.arena import rank as rank_log

    log = read_log([run], db=db)
    try:
        ranking = rank_log(log)
    except NotIdentifiedError:
        tell(f"practicum: no tables in {out}: the choices do not determine strengths")
        return
    _write(ranking, judge(log), out, quiet=False)
