from __future__ import annotations

import pytest

from practicum.arena import WHOLE, Bench, Comparison, compare
from practicum.arena.records import BALLOT, CHOICE, read_choice
from practicum.backends import Reply, Request, ScriptedBackend
from practicum.errors import EndpointError
from tests.arena.stage import MemoryNotebook, asked, gibberish, longest, read_question, supervisor, verdict

SESSIONS = {"a": "来访者：你好\n咨询师：请说", "b": "来访者：你好\n咨询师：慢慢说，我在听，不着急。"}
COMPARISON = Comparison(key="c0", ordinal=0, language="zh", run_seed=7, texts=SESSIONS)


async def test_whole_sessions_are_shown_in_both_orders_and_the_choice_is_kept() -> None:
    judge = supervisor(longest, question="sessions")
    notebook = MemoryNotebook()
    await compare(Bench(supervisors=[judge]), COMPARISON, notebook)
    assert sorted(ballot.shown for ballot in notebook.ballots()) == [("a", "b"), ("b", "a")]
    (choice,) = notebook.of(CHOICE)
    assert (read_choice(choice).verdict, read_choice(choice).offered) == (verdict("b"), ("a", "b"))
    assert {index for index, _ in notebook.records} == {WHOLE}
    for request in asked(judge):
        assert request.tail is not None
        assert request.tail.content.startswith("下面是同一位来访者和 2 位咨询师各自进行的咨询")
        assert sorted(read_question(request).texts) == sorted(SESSIONS.values())


async def test_ballots_that_were_kept_are_not_asked_for_again() -> None:
    whole = MemoryNotebook()
    await compare(Bench(supervisors=[supervisor(longest, question="sessions")]), COMPARISON, whole)
    judge = supervisor(longest, question="sessions")
    notebook = MemoryNotebook(whole.records[:1])
    await compare(Bench(supervisors=[judge]), COMPARISON, notebook)
    assert len(asked(judge)) == 1
    assert notebook.of(CHOICE) == whole.of(CHOICE)


async def test_what_the_backend_held_is_released_even_where_it_is_gone() -> None:
    released: list[str] = []

    class Gone(ScriptedBackend):
        async def reply(self, request: Request) -> Reply:
            raise EndpointError("gone")

        def release(self, thread: str) -> None:
            released.append(thread)

    judge = supervisor(Gone(gibberish), question="sessions")
    notebook = MemoryNotebook()
    with pytest.raises(EndpointError):
        await compare(Bench(supervisors=[judge]), COMPARISON, notebook)
    assert released == [judge.thread("c0")]
    assert notebook.of(BALLOT) == notebook.of(CHOICE) == []
