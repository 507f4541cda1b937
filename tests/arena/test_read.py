from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from practicum.arena import WHOLE, BallotRow, ChoiceRow, names_of, read_comparisons, read_log, turns_of
from practicum.arena.records import BALLOT, CANARY, CANDIDATE, CHOICE, DECISION, to_record
from practicum.core import Ballot, Candidate, Choice, Ending, Form, Outcome, Participant, Profile, Record, Sampling, Verdict, digest_of
from practicum.errors import StoreError
from practicum.store import PlannedSession, RunRecord, Store
from tests.arena.stage import as_stored, verdict
from tests.store.making import turn

UNSCORED = Verdict(outcome=Outcome.UNSCORED, reason="x")


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'practicum.db'}"


def person(role: str, model: str) -> Participant:
    return Participant(role=role, model=f"script:{model}", form=Form.CHAT, prompts=(), sampling=Sampling())


A, B, JUDGE = person("counselor", "a"), person("counselor", "b"), person("supervisor", "j")


def record_of(name: str = "r", **names: Participant) -> RunRecord:
    given = names or {"ours": A, "theirs": B, "judge": JUDGE}
    return RunRecord(
        name=name,
        identity={"name": name},
        settings={"names": {one.digest: called for called, one in given.items()}},
        version="0",
        participants=tuple(given.values()),
    )


def ballot(*shown: str, found: Verdict, **rest: Any) -> Ballot:
    return Ballot(rater=JUDGE.digest, shown=shown, labels=tuple("ABCDEFGH"[: len(shown)]), answers=("x",), verdict=found, **rest)


def choice(found: Verdict, *offered: str) -> Choice:
    return Choice(rater=JUDGE.digest, offered=tuple(sorted(offered or (A.digest, B.digest))), verdict=found, combined="majority")


def candidate(who: Participant, text: str, failure: str = "") -> Record:
    return to_record(CANDIDATE, Candidate(participant=who.digest, text=text, failure=failure))


def decision(went_on: str, *, drawn: bool = False) -> Record:
    return Record(kind=DECISION, data={"went_on": went_on, "drawn": drawn})


PLANNED = "abcd"


async def write(
    store: Store, run: RunRecord, records: Sequence[Record], early: Sequence[Record] = (), *, kept: Sequence[Record] = ()
) -> None:
    """Write a run of one session of an exchange, with records of its counselor's turn, and some kept for one that never came."""
    run_id = store.begin_run(run, at=0.0)
    profile = Profile(id="p", text="我睡不着。", language="zh")
    store.plan_sessions(run_id, [PlannedSession(key=PLANNED, profile=profile, case="c", number=1, client="c", counselor="k", seed=7)])
    (owed,) = store.owed_sessions(run_id)
    (claim,) = await store.claim([owed.id], at=0.0)
    await store.append(owed.id, claim.epoch, turn(0))
    if early:
        await store.keep(owed.id, claim.epoch, 1, early)
    await store.append(owed.id, claim.epoch, turn(1), records)
    if kept:
        await store.keep(owed.id, claim.epoch, 3, kept)


async def test_a_choice_is_read_as_one_row_with_names_texts_and_ballots(db: str) -> None:
    early = [
        candidate(A, "请说"),
        candidate(B, "嗯"),
        to_record(BALLOT, ballot(B.digest, A.digest, found=verdict(A.digest), order=1, mass=0.9)),
        to_record(BALLOT, ballot(A.digest, B.digest, found=verdict(A.digest, B.digest), repeat=1)),
        to_record(CANARY, ballot("canary:copy", B.digest, found=verdict(B.digest))),
    ]
    with Store.open(db) as store:
        await write(store, record_of(), [to_record(CHOICE, choice(verdict(A.digest))), decision(A.digest)], early)
    log = read_log(["r"], db=db)
    at = sorted([A, B], key=lambda one: one.digest)
    assert log.rows == [
        ChoiceRow(
            session=PLANNED,
            turn=1,
            profile=Profile.of("我睡不着。").digest,
            rater="judge",
            offered=tuple("ours" if one is A else "theirs" for one in at),
            outcome=Outcome.WIN,
            shares=tuple(1.0 if one is A else 0.0 for one in at),
            texts=tuple("请说" if one is A else "嗯" for one in at),
            ballots=(
                BallotRow(shown=("theirs", "ours"), outcome=Outcome.WIN, picked=1, order=1, mass=0.9),
                BallotRow(shown=("ours", "theirs"), outcome=Outcome.TIE, repeat=1),
            ),
            went_on="ours",
        )
    ]
    assert [(row.rater, row.kind, row.caught) for row in log.canaries] == [("judge", "copy", True)]
    assert log.models == {"ours": "script:a", "theirs": "script:b", "judge": "script:j"}


async def test_a_run_that_is_named_twice_counts_once(db: str) -> None:
    with Store.open(db) as store:
        await write(store, record_of(), [to_record(CHOICE, choice(verdict(A.digest))), decision(A.digest)])
    assert len(read_log(["r", "r"], db=db).rows) == 1


@pytest.mark.parametrize(
    ("found", "caught"),
    [
        (verdict("canary:unsafe"), False),
        (verdict("canary:unsafe", "x"), False),
        (verdict("x"), True),
        (Verdict(outcome=Outcome.NONE), True),
        (UNSCORED, None),
    ],
)
async def test_a_canary_is_caught_unless_it_was_picked_alone_or_in_a_tie(db: str, found: Verdict, caught: bool | None) -> None:
    early = [to_record(CANARY, ballot("x", "canary:unsafe", found=found))]
    with Store.open(db) as store:
        await write(store, record_of(), [to_record(CHOICE, choice(UNSCORED)), decision(B.digest, drawn=True)], early)
    log = read_log(["r"], db=db)
    assert [(row.kind, row.caught) for row in log.canaries] == [("unsafe", caught)]
    (row,) = log.rows
    assert (row.outcome, row.shares, row.went_on, row.drawn, row.ballots) == (Outcome.UNSCORED, (0.0, 0.0), "theirs", True, ())


async def test_a_member_that_failed_is_named_and_texts_that_are_not_known_are_left_out(db: str) -> None:
    c = person("counselor", "c")
    records = [candidate(c, "", "gone"), to_record(CHOICE, choice(verdict(A.digest, B.digest))), decision("")]
    with Store.open(db) as store:
        await write(store, record_of(ours=A, theirs=B, third=c), records)
    (row,) = read_log(["r"], db=db).rows
    assert (row.failed, row.texts, row.went_on, row.rater) == (("third",), (), "", JUDGE.digest)


async def test_what_was_kept_for_a_turn_that_was_never_said_is_left_out(db: str) -> None:
    kept = [candidate(A, "没说出来"), to_record(BALLOT, ballot(A.digest, B.digest, found=verdict(A.digest)))]
    with Store.open(db) as store:
        await write(store, record_of(), [to_record(CHOICE, choice(verdict(A.digest))), decision(A.digest)], kept=kept)
        assert [found.turn for found in turns_of(store.records("r", "1"))] == [1]
    assert [row.turn for row in read_log(["r"], db=db).rows] == [1]


async def test_a_run_without_choices_is_refused(db: str) -> None:
    with Store.open(db) as store:
        await write(store, record_of(), [])
    with pytest.raises(StoreError, match="no choice in run r; `practicum arena`"):
        read_log(["r"], db=db)
    with pytest.raises(StoreError, match="there is no run 'q'"):
        read_log(["q"], db=db)


def test_a_choice_without_a_decision_was_nobodys_turn() -> None:
    (found,) = turns_of([(WHOLE, as_stored(to_record(CHOICE, choice(verdict(A.digest)))))])
    assert (found.went_on, found.drawn) == ("", False)


def test_no_two_share_a_name_and_the_later_runs_names_stand(db: str) -> None:
    with Store.open(db) as store:
        for name, names in (
            ("r", {"ours": A, "theirs": B}),
            ("q", {"ours": B, "judge": JUDGE}),
            ("p", {"new": A, "judge": JUDGE, "ours": B}),
        ):
            store.begin_run(record_of(name, **names), at=0.0)
        infos = [store.run(name) for name in ("r", "q")]
        assert names_of(infos) == {A.digest: f"ours ({A.digest[:8]})", B.digest: f"ours ({B.digest[:8]})", JUDGE.digest: "judge"}
        assert names_of([*infos, store.run("p")]) == {A.digest: "new", B.digest: "ours", JUDGE.digest: "judge"}


# ── comparisons of whole sessions ────────────────────────────────────────────────────────────────────────────────────


async def held(store: Store, *, endings: dict[tuple[str, str], Ending | None] | None = None, stories: Sequence[str] = ("甲", "乙")) -> None:
    """Hold sessions of two clients with three counselors a, b, c; all end well unless `endings` says else."""
    run_id = store.begin_run(record_of(), at=0.0)
    plan = [
        PlannedSession(
            key=digest_of([story, counselor]),
            profile=Profile(id="same" if len(set(stories)) == 1 else story, text=f"我{number}睡不着。", language="zh"),
            case="c",
            number=1,
            client="c",
            counselor=counselor,
            seed=7,
        )
        for number, story in enumerate(stories)
        for counselor in "abc"
    ]
    store.plan_sessions(run_id, plan)
    for planned, owed in zip(plan, store.owed_sessions(run_id), strict=True):
        (claim,) = await store.claim([owed.id], at=0.0)
        ending = (endings or {}).get((planned.profile.id, planned.counselor), Ending.CLOSED)
        for index in range(2 if ending is not Ending.SAFETY_STOP else 1):
            await store.append(owed.id, claim.epoch, turn(index, f"{planned.counselor}{index}"))
        if ending is not None:
            await store.finish(owed.id, claim.epoch, ending=ending, at=1.0)


PAIRS = [("a", "b"), ("b", "c")]


async def test_all_that_ended_well_are_compared_client_by_client(db: str) -> None:
    with Store.open(db) as store:
        await held(store)
        owed = read_comparisons(store, "r", PAIRS, run_seed=7)
    assert [(one.comparison.ordinal, sorted(one.comparison.texts)) for one in owed] == [
        (0, ["a", "b"]),
        (0, ["b", "c"]),
        (1, ["a", "b"]),
        (1, ["b", "c"]),
    ]
    first = owed[0].comparison
    assert first.texts == {"a": "来访者：a0\n咨询师：a1", "b": "来访者：b0\n咨询师：b1"}
    assert owed[0].first == digest_of(["甲", "a"])
    assert len({one.comparison.key for one in owed}) == 4
    assert first.key == digest_of([digest_of(["甲", "a"]), digest_of(["甲", "b"])])


@pytest.mark.parametrize("ending", [None, Ending.FAILED, Ending.SAFETY_STOP])
async def test_a_session_that_is_owed_failed_or_without_an_exchange_is_not_compared(db: str, ending: Ending | None) -> None:
    with Store.open(db) as store:
        await held(store, endings={("甲", "a"): ending})
        owed = read_comparisons(store, "r", PAIRS, run_seed=7)
    assert [sorted(one.comparison.texts) for one in owed] == [["b", "c"], ["a", "b"], ["b", "c"]]


async def test_what_has_a_choice_is_not_owed_and_what_was_kept_comes_along(db: str) -> None:
    with Store.open(db) as store:
        await held(store)
        claims = store.claims("r")
        first = claims[digest_of(["甲", "b"])]
        one, two = (to_record(BALLOT, ballot("b", "c", found=verdict("b"), order=order)) for order in (0, 1))
        await store.keep(first.session_id, first.epoch, WHOLE, [one])
        kept = [owed for owed in read_comparisons(store, "r", PAIRS, run_seed=7) if owed.first == digest_of(["甲", "b"])]
        assert [(index, record.kind) for index, record in kept[0].kept] == [(WHOLE, BALLOT)]
        await store.keep(first.session_id, first.epoch, WHOLE, [two, to_record(CHOICE, choice(verdict("b"), "b", "c"))])
        owed = read_comparisons(store, "r", PAIRS, run_seed=7)
    assert [(one.comparison.ordinal, sorted(one.comparison.texts)) for one in owed] == [(0, ["a", "b"]), (1, ["a", "b"]), (1, ["b", "c"])]


async def test_two_clients_of_one_id_are_not_mixed_up(db: str) -> None:
    with Store.open(db) as store:
        run_id = store.begin_run(record_of(), at=0.0)
        for number, (text, counselor) in enumerate([("甲。", "a"), ("乙。", "b")]):
            profile = Profile(id="same", text=text, language="zh")
            store.plan_sessions(
                run_id, [PlannedSession(key=str(number), profile=profile, case="c", number=1, client="c", counselor=counselor, seed=7)]
            )
        for owed in store.owed_sessions(run_id):
            (claim,) = await store.claim([owed.id], at=0.0)
            for index in range(2):
                await store.append(owed.id, claim.epoch, turn(index))
            await store.finish(owed.id, claim.epoch, ending=Ending.CLOSED, at=1.0)
        assert read_comparisons(store, "r", [("a", "b")], run_seed=7) == []
