from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends import ChatBackend, ScriptedBackend
from practicum.core import Ending, Profile, Record, Session, SessionView, Speaker, Turn, Utterance
from practicum.engine import Appointment, Desk, Notebook, Pace, Progress, SessionRules, Voice, Watcher
from practicum.errors import BackendError, EndpointError, PracticumError, StoreError
from practicum.store import PlannedSession, RunRecord, Store
from tests.engine.scenes import MemoryJournal, Talker, hold

RUN = RunRecord(name="r", identity={"seed": 0}, settings={}, version="0")


class StubBackend(ScriptedBackend):
    """A backend whose numbers the test sets, and that says when it was told to drain."""

    def __init__(self, capacity: int = 64, under_way: int = 0) -> None:
        super().__init__(["嗯"])
        self.size = capacity
        self.under_way = under_way
        self.drained = asyncio.Event()

    @property
    def capacity(self) -> int:
        return self.size

    def drain(self) -> None:
        self.drained.set()


class Cast:
    """Seats what a function makes of a session's number, and remembers whom."""

    def __init__(self, seat: Callable[[int], Mapping[Speaker, Talker]]) -> None:
        self._seat = seat
        self.seated: dict[int, Mapping[Speaker, Talker]] = {}

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
        number = int(session.key)
        self.seated[number] = self._seat(number)
        return self.seated[number]

    def rules(self, session: Appointment) -> SessionRules:
        return SessionRules(max_exchanges=3)

    def risks(self, session: Appointment) -> Sequence[str]:
        return ["abuse"] if session.key == "1" else []

    def released(self) -> set[int]:
        """How often each voice was released."""
        return {voice.released for voices in self.seated.values() for voice in voices.values()}


def talkers(number: int) -> Mapping[Speaker, Talker]:
    return {speaker: Talker(*(f"{number}号{speaker}说第{turn}句" for turn in range(3))) for speaker in Speaker}


def all_but(number: int, voice: Callable[[], Talker]) -> Callable[[int], Mapping[Speaker, Talker]]:
    """Seat `voice` as the counselor of one session, talkers everywhere else."""
    return lambda at: talkers(at) if at != number else {Speaker.CLIENT: Talker("你好"), Speaker.COUNSELOR: voice()}


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        yield opened


def due(store: Store, sessions: int) -> list[Appointment]:
    """Plan so many sessions, and return those that are owed."""
    run = store.begin_run(RUN, at=0.0)
    profile = Profile(id="p", text="我睡不着。", language="zh")
    plan = (
        PlannedSession(key=str(number), profile=profile, case="c", number=number, client="c", counselor="k", seed=7)
        for number in range(sessions)
    )
    store.plan_sessions(run, plan)
    return [Appointment(owed.id, owed.key, profile) for owed in store.owed_sessions(run)]


def make_desk(store: Store, cast: Cast, *, backend: ChatBackend | None = None, watcher: Watcher | None = None, **pace: Any) -> Desk:
    return Desk(
        store=store,
        cast=cast,
        pace=Pace(backends=[backend or StubBackend()], **pace),
        run_seed=7,
        clock=lambda: 1_700_000_000.0,
        progress=Progress(),
        watcher=watcher,
    )


async def hold_all(store: Store, sessions: int, cast: Cast, **options: Any) -> Desk:
    desk = make_desk(store, cast, **options)
    await asyncio.wait_for(desk.hold(due(store, sessions)), 20)
    return desk


def read(store: Store) -> dict[str, Session]:
    return {session.key: session for session in store.sessions("r")}


def endings(store: Store) -> list[Ending | None]:
    return [session.ending for session in store.sessions("r")]


# ── admission ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pace", "opening", "open_sessions", "room"),
    [
        ({}, 0, 0, 30),
        ({"at_once": 12}, 0, 0, 12),
        ({"at_once": 1000}, 0, 0, 30),  # the endpoints have backed off: the user's number is not what they take now
        ({"at_once": 12}, 5, 50, 7),
        ({"sessions_at_once": 2}, 1, 1, 1),
        ({"sessions_at_once": 2}, 0, 2, 0),
        ({"sessions_at_once": 1000}, 25, 900, 5),
        ({"calls_per_session": 4}, 0, 0, 7),  # a panel of three and its client
        ({"calls_per_session": 4}, 5, 5, 2),
        ({"calls_per_session": 4, "at_once": 3}, 0, 0, 1),  # never room for all its calls, but one session goes on
        ({"calls_per_session": 4, "at_once": 3}, 0, 1, 0),
        ({"calls_per_session": 4, "sessions_at_once": 3}, 0, 1, 2),
    ],
)
def test_there_is_room_for_as_many_sessions_as_calls_may_still_be_made(
    pace: dict[str, int], opening: int, open_sessions: int, room: int
) -> None:
    assert Pace(backends=[StubBackend(10), StubBackend(20)], **pace).room(opening, open_sessions) == room


def test_calls_under_way_take_room_and_sessions_between_two_calls_do_not() -> None:
    pace = Pace(backends=[StubBackend(10, under_way=4), StubBackend(20, under_way=3)], at_once=8)
    assert pace.room(0, 500) == 1
    assert pace.room(5, 500) == 1
    assert pace.room(8, 500) == 0


NUMBER = st.integers(0, 300)


@given(st.lists(st.tuples(st.integers(1, 300), NUMBER), min_size=1, max_size=3), NUMBER, NUMBER, st.none() | st.integers(1, 300))
def test_sessions_let_in_never_ask_more_at_once_than_is_taken(
    backends: list[tuple[int, int]], opening: int, open_sessions: int, at_once: int | None
) -> None:
    pace = Pace(backends=[StubBackend(*numbers) for numbers in backends], at_once=at_once, sessions_at_once=open_sessions + 3)
    capacity = sum(capacity for capacity, _ in backends)
    under_way = sum(under_way for _, under_way in backends)
    most = min(at_once or capacity, capacity)
    room = pace.room(opening, open_sessions)
    assert room <= 3
    assert room == 3 or max(under_way, opening) + room == most


async def test_no_more_sessions_are_open_than_calls_may_be_in_flight(store: Store) -> None:
    """Each session's first answer comes only when nobody else is let in: 4, then 4, never 5."""
    open_now = 0
    peak = 0

    class Slow(Talker):
        async def speak(self, session: SessionView) -> Utterance:
            nonlocal open_now, peak
            open_now += session.next_index == 0
            peak = max(peak, open_now)
            await asyncio.sleep(0)
            open_now -= session.next_index == 5
            return await super().speak(session)

    cast = Cast(lambda _: {speaker: Slow() for speaker in Speaker})
    await hold_all(store, 40, cast, at_once=4)
    assert peak == 4
    assert endings(store) == [Ending.TURN_LIMIT] * 40


# ── what voices keep ──────────────────────────────────────────────────────────────────────────────────────────────────


class Keeper(Talker):
    """Keeps a record of each kind before it speaks, and what it was given from before."""

    def __init__(self, notebook: Notebook, *lines: str, problem: BaseException | None = None) -> None:
        super().__init__(*lines, problem=problem)
        self._notebook = notebook
        self.given = list(notebook.kept)

    async def speak(self, session: SessionView) -> Utterance:
        index = session.next_index
        await self._notebook.keep(index, [Record(kind=kind, data={"at": index}) for kind in ("candidate", "refused")])
        return await super().speak(session)


class KeeperCast(Cast):
    """Seats a keeper as the counselor."""

    def __init__(self, *lines: str, problem: BaseException | None = None) -> None:
        super().__init__(talkers)
        self._made = (lines, problem)
        self.keepers: list[Keeper] = []

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
        lines, problem = self._made
        self.keepers.append(Keeper(notebook, *lines, problem=problem))
        return {**super().seat(session, notebook), Speaker.COUNSELOR: self.keepers[-1]}


async def test_what_a_voice_keeps_is_counted_and_given_back_only_for_the_turn_that_never_came(store: Store) -> None:
    cut = KeeperCast("请说", problem=BackendError("out of order", kind="script"))
    desk = await hold_all(store, 1, cut)
    assert (endings(store), desk.progress.refused, desk.committing) == ([Ending.FAILED], 2, 0)
    assert cut.keepers[0].given == []
    kept = [(3, Record(kind=kind, data={"at": 3})) for kind in ("candidate", "refused")]
    again = KeeperCast("请说")
    await hold_all(store, 1, again)
    assert again.keepers[0].given == kept
    assert [(index, record.kind) for index, record in store.records("r", "1")] == [
        (index, kind) for index in (1, 3, 3, 5) for kind in ("candidate", "refused")
    ]
    assert endings(store) == [Ending.TURN_LIMIT]


async def test_what_cannot_be_kept_stops_the_run_and_keeps_no_place(store: Store) -> None:
    class Unstorable(Keeper):
        async def speak(self, session: SessionView) -> Utterance:
            await self._notebook.keep(1, [Record(kind="candidate", data={"text": "\ud83d"})])
            raise AssertionError

    class UnstorableCast(Cast):
        def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
            return {**super().seat(session, notebook), Speaker.COUNSELOR: Unstorable(notebook)}

    desk = make_desk(store, UnstorableCast(talkers))
    with pytest.raises(StoreError, match="cannot be stored"):
        await desk.hold(due(store, 1))
    assert (desk.committing, desk.progress.open) == (0, 0)


async def test_each_session_is_held_by_its_own_rules(store: Store) -> None:
    class Shorter(Cast):
        def rules(self, session: Appointment) -> SessionRules:
            return SessionRules(max_exchanges=1 + int(session.key))

    await hold_all(store, 3, Shorter(talkers))
    assert [len(session.turns) for session in store.sessions("r")] == [2, 4, 6]


# ── many sessions ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_many_sessions_are_held_as_each_would_be_alone(store: Store) -> None:
    cast = Cast(talkers)
    desk = await hold_all(store, 100, cast)
    for number, session in enumerate(store.sessions("r")):
        alone = MemoryJournal()
        await hold(talkers(number), alone, rules=SessionRules(max_exchanges=3))
        assert [turn.text for turn in session.turns] == [turn.text for turn in alone.turns]
    assert desk.progress.endings == {Ending.TURN_LIMIT: 100}
    assert (desk.progress.turns, desk.progress.open, desk.opening, desk.progress.put_aside) == (600, 0, 0, 0)
    assert cast.released() == {1}


async def test_a_watcher_is_told_of_each_turn_once_it_is_durable_and_of_the_end(store: Store) -> None:
    told: list[tuple[str, object]] = []

    class Watcher:
        def turn(self, session: str, turn: Turn) -> None:
            assert read(store)[session].turns[turn.index].text == turn.text
            told.append((session, turn.index))

        def ended(self, session: str, ending: Ending | None) -> None:
            assert read(store)[session].ending is ending
            told.append((session, ending))

    await hold_all(store, 1, Cast(talkers), watcher=Watcher())
    assert told == [*(("0", index) for index in range(6)), ("0", Ending.TURN_LIMIT)]


async def test_risks_of_profile_and_turns_are_kept_with_the_session(store: Store) -> None:
    await hold_all(store, 2, Cast(lambda _: {speaker: Talker("你好", "我不想活了。") for speaker in Speaker}))
    assert [session.risk for session in store.sessions("r")] == [("suicide",), ("abuse", "suicide")]


async def test_one_session_that_fails_disturbs_no_other(store: Store) -> None:
    cast = Cast(all_but(3, lambda: Talker(problem=BackendError("status 400: no", kind="refused"))))
    desk = await hold_all(store, 20, cast)
    sessions = read(store)
    assert (sessions["3"].ending, sessions["3"].failure, len(sessions["3"].turns)) == (Ending.FAILED, "status 400: no", 1)
    assert [key for key, session in sessions.items() if session.ending is Ending.TURN_LIMIT] == [str(n) for n in range(20) if n != 3]
    assert (desk.progress.failed, desk.progress.ended) == (1, 20)
    assert cast.released() == {1}


async def test_failed_ones_are_owed_again_and_finished_ones_never(store: Store) -> None:
    await hold_all(store, 5, Cast(all_but(3, lambda: Talker(problem=BackendError("no", kind="refused")))))
    again = Cast(talkers)
    await hold_all(store, 5, again)
    assert list(again.seated) == [3]
    session = read(store)["3"]
    assert (session.ending, session.failure) == (Ending.TURN_LIMIT, "")
    assert [turn.text for turn in session.turns[:3]] == ["你好", "3号counselor说第0句", "3号client说第1句"]


# ── what stops a run ─────────────────────────────────────────────────────────────────────────────────────────────────


def never() -> Talker:
    class Never(Talker):
        async def speak(self, session: SessionView) -> Utterance:
            await asyncio.Event().wait()
            raise AssertionError

    return Never()


@pytest.mark.parametrize(
    "problem", [EndpointError("gone"), StoreError("disk full"), KeyError("bug"), ExceptionGroup("bugs", [KeyError("bug")])]
)
async def test_what_stops_a_run_surfaces_as_itself_and_leaves_the_others_resumable(store: Store, problem: Exception) -> None:
    cast = Cast(lambda number: all_but(number, lambda: Talker(problem=problem) if number == 2 else never())(number))
    with pytest.raises(KeyError if isinstance(problem, ExceptionGroup) else type(problem)) as caught:
        await hold_all(store, 5, cast)
    assert caught.value is (problem.exceptions[0] if isinstance(problem, ExceptionGroup) else problem)
    assert endings(store) == [None] * 5
    assert cast.released() == {1}
    assert all(not task.get_coro().__qualname__.startswith("Desk") for task in asyncio.all_tasks())  # type: ignore[union-attr]
    await hold_all(store, 5, Cast(talkers))
    assert endings(store) == [Ending.TURN_LIMIT] * 5


ERRORS = (KeyError("bug"), StoreError("disk full"), EndpointError("gone"))


@pytest.mark.parametrize("order", [*permutations(ERRORS), *permutations(ERRORS, 2)], ids=repr)
async def test_of_several_errors_at_once_the_one_that_says_most_is_raised(store: Store, order: tuple[Exception, ...]) -> None:
    gate = asyncio.Barrier(len(order))

    class Together(Talker):
        async def speak(self, session: SessionView) -> Utterance:
            await gate.wait()
            return await super().speak(session)

    cast = Cast(lambda number: {speaker: Together(problem=order[number]) for speaker in Speaker})
    with pytest.raises((KeyError, PracticumError)) as caught:
        await hold_all(store, len(order), cast)
    assert caught.value is min(order, key=ERRORS.index)


class StopAfter:
    """A watcher that stops the desk once so many turns are durable."""

    def __init__(self, turns: int) -> None:
        self.left = turns
        self.desk: Desk | None = None
        self.aside = 0

    def turn(self, session: str, turn: Turn) -> None:
        self.left -= 1
        if not self.left and self.desk is not None:
            self.desk.stop()

    def ended(self, session: str, ending: Ending | None) -> None:
        self.aside += ending is None


@pytest.mark.parametrize("turns", [1, 7, 50, 110])
async def test_a_run_that_is_stopped_is_put_aside_and_goes_on_later(store: Store, turns: int) -> None:
    backend, watcher = StubBackend(8), StopAfter(turns)
    cast = Cast(talkers)
    desk = watcher.desk = make_desk(store, cast, backend=backend, watcher=watcher)
    await asyncio.wait_for(desk.hold(due(store, 20)), 20)
    assert desk.stopping
    assert backend.drained.is_set()
    assert desk.progress.put_aside == watcher.aside == len(cast.seated) - desk.progress.ended
    assert turns <= desk.progress.turns < 120
    assert cast.released() == {1}
    await hold_all(store, 20, Cast(talkers))
    assert endings(store) == [Ending.TURN_LIMIT] * 20
    with Store.open("sqlite://") as other:
        await hold_all(other, 20, Cast(talkers))
        assert [[turn.text for turn in session.turns] for session in store.sessions("r")] == [
            [turn.text for turn in session.turns] for session in other.sessions("r")
        ]


async def begun(desk: Desk, turns: int) -> None:
    """Return once so many turns are durable."""
    while desk.progress.turns < turns:  # noqa: ASYNC110 - counters have no event
        await asyncio.sleep(0)


async def test_a_call_that_waits_when_the_run_is_stopped_is_no_error(store: Store) -> None:
    backend = StubBackend()

    class Waiting(Talker):
        async def speak(self, session: SessionView) -> Utterance:
            await backend.drained.wait()
            raise EndpointError("the run is being stopped")

    desk = make_desk(store, Cast(lambda _: {Speaker.CLIENT: Talker("你好"), Speaker.COUNSELOR: Waiting()}), backend=backend)
    holding = asyncio.create_task(desk.hold(due(store, 3)))
    await begun(desk, 3)
    desk.stop()
    await asyncio.wait_for(holding, 20)
    assert desk.progress.put_aside == 3
    assert endings(store) == [None] * 3


async def test_a_run_that_is_cancelled_frees_every_voice(store: Store) -> None:
    cast = Cast(lambda _: {Speaker.CLIENT: Talker("你好"), Speaker.COUNSELOR: never()})
    desk = make_desk(store, cast)
    holding = asyncio.create_task(desk.hold(due(store, 10)))
    await begun(desk, 10)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert cast.released() == {1}
    assert (desk.progress.open, desk.opening) == (0, 0)
    await hold_all(store, 10, Cast(talkers))
    assert endings(store) == [Ending.TURN_LIMIT] * 10


async def test_nothing_is_opened_once_it_is_stopped(store: Store) -> None:
    cast = Cast(talkers)
    desk = make_desk(store, cast)
    desk.stop()
    await desk.hold(due(store, 3))
    assert not cast.seated
