from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from practicum.arena import turns_of
from practicum.backends import find_model, is_present
from practicum.cli.demo import DEMO_DB
from practicum.store import Store
from tests.cli.conftest import Practicum, masked


def demo(practicum: Practicum, language: str, *args: str) -> tuple[int, str, str]:
    models = ("--client", f"script:client.{language}.txt", "--counselor", f"script:counselor.{language}.txt")
    return practicum("demo", "--language", language, *models, "--max-exchanges", "3", *args)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "zh",
            snapshot("""\
一次完整的心理咨询模拟：两把椅子上都是语言模型，来访者的故事是虚构的。这不是治疗。
One simulated counseling session in Chinese (--language en: in English); the client's story is fiction. This is not therapy.

store      sqlite:///practicum-demo/practicum.db
run        run-KEY
client     script:client.zh.txt#DIGEST (chat)
counselor  script:counselor.zh.txt#DIGEST (chat)
profiles   1; 1 session each

来访者：你好
咨询师：你好，今天想从哪里说起？
来访者：最近总是睡不好，凌晨三点就醒。
咨询师：是从什么时候开始的？
来访者：醒了以后脑子停不下来，想着开会要说的话。
咨询师：醒来的时候，心里最先冒出来的是什么？

sessions   1 of 1 done (1 turn_limit)
exchanges  3
tokens     0 read, 0 written
replies    0 refused by the check and asked for anew, 0 mended or marked this time
risk       0 sessions flagged
1 session, 6 turns written to practicum-demo/data.json, practicum-demo/dataset_info.json

the store    sqlite:///practicum-demo/practicum.db
the data set practicum-demo/data.json, with practicum-demo/dataset_info.json for LLaMA-Factory

next
  practicum show run-KEY 1 --db sqlite:///practicum-demo/practicum.db
  practicum simulate --profiles YOUR.json --client MODEL --counselor MODEL
  practicum doctor MODEL   checks a model before you use it, e.g. openai:gpt-4.1, ollama:qwen2.5:7b\
"""),
        ),
        (
            "en",
            snapshot("""\
One simulated counseling session, language models in both chairs (--language zh: in Chinese).
The client's story is fiction. This is not therapy.

store      sqlite:///practicum-demo/practicum.db
run        run-KEY
client     script:client.en.txt#DIGEST (chat)
counselor  script:counselor.en.txt#DIGEST (chat)
profiles   1; 1 session each

Client: Hello
Counselor: Hello, where would you like to begin?
Client: I have been waking at three every night.
Counselor: When did it start?
Client: My head goes over every meeting again.
Counselor: What comes to mind first when you wake?

sessions   1 of 1 done (1 turn_limit)
exchanges  3
tokens     0 read, 0 written
replies    0 refused by the check and asked for anew, 0 mended or marked this time
risk       0 sessions flagged
1 session, 6 turns written to practicum-demo/data.json, practicum-demo/dataset_info.json

the store    sqlite:///practicum-demo/practicum.db
the data set practicum-demo/data.json, with practicum-demo/dataset_info.json for LLaMA-Factory

next
  practicum show run-KEY 1 --db sqlite:///practicum-demo/practicum.db
  practicum simulate --profiles YOUR.json --client MODEL --counselor MODEL
  practicum doctor MODEL   checks a model before you use it, e.g. openai:gpt-4.1, ollama:qwen2.5:7b\
"""),
        ),
    ],
)
def test_a_demo_ends_in_a_session_a_store_and_an_export(practicum: Practicum, language: str, shown: str) -> None:
    status, out, err = demo(practicum, language)
    assert (status, err) == (0, "")
    assert "\n".join(line for line in masked(out).splitlines() if not line.startswith("story ")) == shown
    assert sorted(path.name for path in Path("practicum-demo").glob("*.json")) == ["data.json", "dataset_info.json"]
    assert Path("practicum-demo/practicum.db").exists()


def test_a_second_demo_shows_the_kept_session_again(practicum: Practicum) -> None:
    first = demo(practicum, "zh")[1]
    status, second, _ = demo(practicum, "zh")
    assert status == 0
    assert "this session was held before" in second
    assert [line for line in second.splitlines() if "：" in line] == [line for line in first.splitlines() if "：" in line]


def test_demos_in_two_languages_do_not_meet(practicum: Practicum) -> None:
    demo(practicum, "zh")
    out = demo(practicum, "en")[1]
    assert "Counselor: " in out
    assert "咨询师" not in out


def test_a_cut_demo_says_how_to_go_on(practicum: Practicum) -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    status, _, err = demo(practicum, "en", "--db", "sqlite:///mine.db")
    assert (status, err) == (1, "practicum: the session is not over; `practicum demo` goes on with it\n")
    assert not Path("practicum-demo").exists()


def test_size_licence_and_source_are_told_before_the_download(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_CACHE", "/dev/null/cache")  # nothing can be fetched into it
    outcome = practicum("demo", "--client", "local:qwen2.5-coder-1.5b", "--counselor", "script:counselor.zh.txt")
    assert outcome.status == 1
    assert "1,117 MB, Apache-2.0, by Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF" in outcome.out
    assert len(outcome.err.splitlines()) == 1


def test_an_embedded_model_speaks(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_CACHE")  # the weights that `make test` has fetched
    if not is_present(find_model("smollm2-135m")):
        pytest.skip("no weights; `practicum models pull smollm2-135m` fetches them")
    model = "local:smollm2-135m"
    outcome = practicum("demo", "--language", "en", "--client", model, "--counselor", model, "--max-exchanges", "1")
    assert outcome.status == 0
    assert "Client: Hello\nCounselor: " in outcome.out
    assert "1 of 1 done" in outcome.out


def test_a_gguf_file_of_ones_own_is_not_fetched(practicum: Practicum) -> None:
    Path("mine.gguf").write_bytes(b"not a model")
    outcome = practicum("demo", "--client", "local:mine.gguf", "--counselor", "script:counselor.zh.txt")
    assert outcome.status in (1, 2)
    assert "mine.gguf" in outcome.err
    assert "into " not in outcome.out


def test_a_small_model_holds_the_whole_arena(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_CACHE")
    if not is_present(find_model("smollm2-135m")):
        pytest.skip("no weights; `practicum models pull smollm2-135m` fetches them")
    model = "local:smollm2-135m"
    outcome = practicum("demo", "--arena", "--language", "en", "--max-exchanges", "1", "--client", model, "--counselor", model)
    assert outcome.status == 0
    assert "2 of 2 done (2 turn_limit)" in outcome.out
    assert f"supervisor ({model})" in outcome.out
    with Store.open(DEMO_DB) as store:
        [run] = [one.name for one in store.runs()]
        offered = [turn.candidates for _, records in store.records_of(run, ("candidate", "choice")) for turn in turns_of(records)]
    assert [len(candidates) for candidates in offered] == [3, 3]
    assert all(one.call is not None and one.call.model == model for candidates in offered for one in candidates.values())
