"""Curation: conversations in, a checked data set out, with a count of everything that did not go along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from practicum.dataset.checks import Check
from practicum.dataset.curate_config import CurateConfig
from practicum.dataset.curated import CurateReport
from practicum.dataset.dataset_files import check_folder, write_dataset
from practicum.dataset.pile import Pile, spooling
from practicum.dataset.select import Selection, count_reasons, select
from practicum.dataset.sift import Gate, sift
from practicum.dataset.sources import Source
from practicum.errors import ConfigError, ExportError, RowsError

Watch = Callable[[str, int], None]
"""Told what is being done, and how many conversations are through with it."""


def curate(
    sources: Sequence[Source],
    config: CurateConfig,
    out: Path,
    *,
    test: Sequence[Source] = (),
    report: bool = False,
    skip_bad: bool = False,
    watch: Watch | None = None,
    gate: Gate | None = None,
) -> CurateReport:
    """Put conversations in order, leave out what a model must not learn from, and write the rest as a data set.

    Every conversation is mended and examined; then those are dropped whose client or text is in the test set, then those that are in
    twice. Clients are divided by a hash of their story; a nearly equal story is the same client, and goes where the first of them goes.
    The same sources and configuration give the same bytes, in however many processes.

    Args:
        sources: From `find_sources`, in the order in which duplicates are resolved: the first stays.
        config: Checks, thresholds, shares.
        out: The folder. A complete new data set replaces an old one; a failed or interrupted one changes nothing.
        test: What must not be learnt from; none of it is written.
        report: Write `report.html` too.
        skip_bad: Go on without rows that cannot be read.
        watch: Told how far it is.
        gate: The checks, where they are to be others than the package's.

    With more than one process, a script that calls this needs Python's `if __name__ == "__main__":`.

    Raises:
        ConfigError: The shares leave nothing to learn from.
        RowsError: Rows cannot be read, and `skip_bad` is not given.
        StoreError: There is no such run.
        ExportError: The folder cannot be written, or nothing is left to write; what was there before stays.
    """
    check_config(config)
    watch = watch or _unwatched
    gate = gate or Gate(config=config.checks)
    check_folder(out)
    held_out = _pile(test, replace(gate, examine=None), config, Pile(spool=None), watch, "test set")
    _refuse_bad(held_out, skip_bad)
    with spooling(out) as spool:
        pile = _pile(sources, gate, config, Pile(spool=spool), watch, "read")
        _refuse_bad(pile, skip_bad)
        watch("compared", 0)
        selection = select(pile, held_out, config)
        result = summarize(pile, selection, config, out)
        if not selection.placed["train"]:
            raise ExportError(f"{out}: nothing to learn from: {', '.join(f'{name} {number:,}' for name, number in result.table())}")
        watch("compared", len(pile.passed))
        result = write_dataset(
            pile,
            selection,
            config,
            result,
            facts=[source.facts() for source in sources],
            test_facts=[source.facts() for source in test],
            report=report,
        )
    _remember(sources, pile, selection)
    return result


def check_config(config: CurateConfig) -> None:
    """Refuse what no single field is to blame for; `ConfigError`."""
    dev, test = config.split.dev, config.split.test
    if dev + test >= 1:
        raise ConfigError(f"split.dev {dev:g} and split.test {test:g} leave nothing to learn from; their sum must be below 1")
    if unknown := sorted(set(config.checks.off) - {check.value for check in Check}):
        raise ConfigError(f"checks.off: no check is called {', '.join(unknown)}; known: {', '.join(Check)}")


def _unwatched(doing: str, done: int) -> None:
    """Nobody looks on."""


def _pile(sources: Sequence[Source], gate: Gate, config: CurateConfig, pile: Pile, watch: Watch, doing: str) -> Pile:
    for source in sources:
        pile.begin(source.origin.name)
        for chunk in sift(source.items(), source.origin, gate, config.processes):
            pile.add(chunk)
            watch(doing, pile.read)
    return pile


def _refuse_bad(pile: Pile, skip_bad: bool) -> None:
    if pile.bad and not skip_bad:
        raise RowsError(f"{len(pile.bad):,} of {pile.read:,} rows cannot be read; --skip-bad goes on without them", pile.bad)


def summarize(pile: Pile, selection: Selection, config: CurateConfig, out: Path) -> CurateReport:
    """Return the figures, all but what only the writing gives."""
    taken = sorted(index for indices in selection.placed.values() for index in indices)
    cut: Counter[str] = Counter()
    for index in taken:
        cut.update({how.value: number for how, number in pile.passed[index].cut.items()})
    dropped = count_reasons([*pile.refused, *selection.refused])
    found = Counter({reason.value: number for reason, number in pile.found.items()})
    found.update(count_reasons(selection.refused))
    return CurateReport(
        read=pile.read,
        bad=len(pile.bad),
        left_out={reason.value: pile.left_out[reason] for reason in sorted(pile.left_out)},
        mended=pile.mended,
        mends={mend.value: number for mend, number in sorted(pile.mends.items()) if number},
        dropped=dict(sorted(dropped.items())),
        found={name: found[name] for name in sorted(found)},
        overlap_left=selection.overlap_left,
        clients_joined=selection.joined,
        risk_apart=len(selection.apart),
        risks=dict(sorted(Counter(kind for index in [*selection.apart, *taken] for kind in pile.passed[index].risk).items())),
        cut={name: cut[name] for name in sorted(cut)},
        written={},
        languages=dict(sorted(Counter(pile.passed[index].language for index in taken).items())),
        folder=out,
        files=(),
        notes=tuple(_notes(pile, selection, config)),
    )


def _notes(pile: Pile, selection: Selection, config: CurateConfig) -> list[str]:
    notes = []
    if pile.bad:
        rows = "1 row could not be read and was" if len(pile.bad) == 1 else f"{len(pile.bad):,} rows could not be read and were"
        notes.append(f"{rows} left out")
    if config.split.dev and not selection.placed["dev"]:
        notes.append(f"no client fell into dev (share {config.split.dev:g}); a larger --dev gives some")
    return notes


def _remember(sources: Sequence[Source], pile: Pile, selection: Selection) -> None:
    """Tell each source what of it was written to learn from, or to choose a model by."""
    ids: list[list[str]] = [[] for _ in sources]
    for split in ("train", "dev"):
        for index in selection.placed[split]:
            ids[pile.source[index]].append(pile.passed[index].id)
    for source, learnt in zip(sources, ids, strict=True):
        if learnt:
            source.learnt(learnt)
