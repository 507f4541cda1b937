from __future__ import annotations

import json
import sys
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import practicum.dataset
from practicum import Profile
from practicum.dataset import example_dialogues
from practicum.dataset.dataset_files import MESSAGES
from practicum.dataset.near import sign, similarity
from practicum.dataset.sift import Gate
from practicum.errors import ConfigError, ExportError, RowsError
from practicum.measures import normal_form
from practicum.store import Store
from tests.dataset.talks import Turns, curated, dialogues, die, plain_mend, read_jsonl, write_jsonl

EN: Turns = [
    {"speaker": "client", "text": "I have been waking at three every night since I was promoted."},
    {"speaker": "counselor", "text": "What comes to mind first when you wake?"},
    {"speaker": "client", "text": "That they will find me out at work."},
    {"speaker": "counselor", "text": "Find what out?"},
    {"speaker": "client", "text": "That I only ever pretend to know."},
    {"speaker": "counselor", "text": "Since when has it felt like pretending?"},
    {"speaker": "client", "text": "Since school, I think. Thank you, I will watch for it. Goodbye."},
    {"speaker": "counselor", "text": "Goodbye, until next week."},
]


def talk(id_: str, *changes: tuple[int, str], turns: Turns = EN, **fields: Any) -> dict[str, Any]:
    """Return a row: the turns with some of them said otherwise."""
    said = [dict(turn) for turn in turns]
    for index, text in changes:
        said[index]["text"] = text
    return {"id": id_, "turns": said, **fields}


def other(number: int) -> dict[str, Any]:
    """Return a conversation of a client who has nothing in common with the others."""
    word = sha256(str(number).encode()).hexdigest()
    return talk(f"o{number}", *((index, f"{word[index:]} {word[: index + 9]} {index}") for index in range(8)))


def reasons(out: Path) -> dict[str, tuple[str, str]]:
    return {line["key"]: (line["check"], line["detail"]) for line in read_jsonl(out / "dropped.jsonl")}


def splits(out: Path) -> dict[str, str]:
    return {line["id"]: line["split"] for line in read_jsonl(out / "kept.jsonl")}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


# ── the gate ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_dialogues_pass_the_packages_own_checks(out: Path) -> None:
    report = curated(out, example_dialogues(), gate=None, split={"dev": 0.1})
    assert report.read == 60
    assert sum(size.sessions for size in report.written.values()) + report.dropped_in_all + report.risk_apart == 60
    assert report.written["train"].sessions >= 45
    assert report.languages.keys() == {"zh"}


def test_every_drop_has_its_reason_and_everything_adds_up(tmp_path: Path, out: Path) -> None:
    rows = [
        talk("good", (0, "  I have been waking at three every night since I was promoted. ")),
        talk("short", turns=EN[:4]),
        talk("model", (3, "As a language model I cannot say."), turns=EN[:6]),
        talk("risk", (2, "I want to kill myself, and nobody knows.")),
        talk("again"),
        talk("nearly", (7, "Goodbye, until next weekend.")),
        {"id": "mute", "turns": [{"speaker": "counselor", "text": "你好"}] * 9},
        *(other(number) for number in range(20)),
    ]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0.2})
    assert reasons(out) == {
        "a.jsonl/short": ("too_short", "4 turns"),
        "a.jsonl/model": ("too_short", "6 turns"),
        "a.jsonl/again": ("duplicate", "the same as a.jsonl/good"),
        "a.jsonl/nearly": ("near_duplicate", "nearly the same as a.jsonl/good"),
        "a.jsonl/mute": ("no_exchange", "no counselor turn answers a client's"),
    }
    assert [line["also"] for line in read_jsonl(out / "dropped.jsonl")][:2] == [[], ["ai_self"]]
    assert report.found == {"ai_self": 1, "duplicate": 1, "near_duplicate": 1, "no_exchange": 1, "risk": 1, "too_short": 2}
    assert (report.mended, report.mends) == (1, {"white space put in order": 1})
    (apart,) = read_jsonl(out / "risk.jsonl")
    assert (apart["id"], apart["risk"], len(apart["messages"])) == ("a.jsonl/risk", ["suicide"], 8)
    kept = splits(out)
    assert set(kept) == {"a.jsonl/good", *(f"a.jsonl/o{number}" for number in range(20))}
    assert Counter(kept.values()) == {split: size.sessions for split, size in report.written.items()}
    table = dict(report.table())
    assert table.pop("read") == sum(number for name, number in table.items() if name != "mended") == 27


def test_risk_is_in_training_only_when_asked_for(tmp_path: Path, out: Path) -> None:
    rows = [other(1), other(2), talk("r", (2, "我想死，没人知道。")), other(3) | {"risk": ["abuse"]}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    report = curated(out, path, split={"dev": 0})
    assert (report.risk_apart, report.risks, report.written["train"].sessions) == (2, {"abuse": 1, "suicide": 1}, 2)
    again = curated(out, path, split={"dev": 0}, include_risk=True)
    assert (again.risk_apart, again.risks, again.written["train"].sessions) == (0, {"abuse": 1, "suicide": 1}, 4)
    assert not (out / "risk.jsonl").exists()  # the earlier curation's is gone
    assert "are **included**" in (out / "README.md").read_text("utf-8")


def test_what_is_kept_apart_does_not_push_its_likes_out(tmp_path: Path, out: Path) -> None:
    rows = [talk("r", risk=["abuse"]), talk("plain"), other(1)]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0})
    assert (report.dropped, report.risk_apart) == ({}, 1)
    assert set(splits(out)) == {"a.jsonl/plain", "a.jsonl/o1"}


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_alternate_strictly_whatever_came_in_and_what_was_cut_is_counted(tmp_path: Path, out: Path) -> None:
    hello = {"speaker": "counselor", "text": "Hello."}
    rows = [talk("a", turns=[hello, *EN[:3], EN[2], *EN[3:], EN[6]]), other(1), *dialogues()[:9]]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0.3}, gate=Gate(mend=plain_mend, examine=None))
    assert sum(report.cut.values()) == 3
    for split in report.written:
        for row in read_jsonl(out / MESSAGES[split]):
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert all(message["content"].strip() for message in row["messages"])
    first = next(line for line in read_jsonl(out / "kept.jsonl") if line["id"] == "a.jsonl/a")
    assert sum(first["cut"].values()) == 3


def test_a_row_a_turn_is_the_history_and_one_reply(tmp_path: Path, out: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [talk("a", system="Listen.")])
    report = curated(out, path, samples="turn", split={"dev": 0})
    rows = read_jsonl(out / "messages-train.jsonl")
    assert [row["id"] for row in rows] == [f"a.jsonl/a#{number}" for number in (1, 2, 3, 4)]
    assert [[message["content"] for message in row["messages"]] for row in rows] == [
        ["Listen.", *(turn["text"] for turn in EN[:end])] for end in (2, 4, 6, 8)
    ]
    assert (report.written["train"].sessions, report.written["train"].rows) == (1, 4)
    assert read_jsonl(out / "kept.jsonl")[0]["rows"] == 4
    assert "mask_history" in (out / "README.md").read_text("utf-8")


# ── splits ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_adding_sessions_moves_nobody(tmp_path: Path, out: Path) -> None:
    rows = [other(number) for number in range(120)]
    path = write_jsonl(tmp_path / "a.jsonl", rows[::3])
    config = {"dev": 0.3, "test": 0.2}
    curated(out, path, split=config)
    before = splits(out)
    write_jsonl(path, rows[::-1])
    curated(out, path, split=config)
    assert before.items() <= splits(out).items()
    assert len(set(before.values())) == 3


def test_conversations_of_one_client_or_of_nearly_equal_ones_are_never_parted(tmp_path: Path, out: Path) -> None:
    stories = [" ".join(other(number)["turns"][0]["text"] for number in range(place, place + 5)) for place in range(0, 200, 5)]
    rows = []
    for place, story in enumerate(stories):
        rows += [other(1000 + 3 * place) | {"profile": {"text": story}}]
        rows += [other(1001 + 3 * place) | {"profile": {"text": story}}]
        rows += [other(1002 + 3 * place) | {"profile": {"text": f"{story} x"}}]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0.3, "test": 0.3})
    places = splits(out)
    for place in range(len(stories)):
        assert len({places[f"a.jsonl/o{1000 + 3 * place + each}"] for each in range(3)}) == 1
    assert len(set(places.values())) == 3
    assert (report.clients_joined, sum(size.clients for size in report.written.values())) == (40, 40)


def test_a_split_that_is_said_stands_for_all_of_the_client(tmp_path: Path, out: Path) -> None:
    story = {"profile": {"text": "我二十九岁，最近升职以后一直睡不好，总怕被人看穿。"}}
    rows = [other(1) | story, other(2) | story | {"split": "test"}, other(3), other(4) | {"split": "dev"}]
    curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0})
    assert splits(out) == {"a.jsonl/o1": "test", "a.jsonl/o2": "test", "a.jsonl/o3": "train", "a.jsonl/o4": "dev"}


# ── the test set ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_planted_overlap_with_the_test_set_is_caught_and_none_is_left(tmp_path: Path, out: Path) -> None:
    held_out = dialogues()[:20]
    story = "我在一家小公司做会计，每到月底都要加班，和父母住在一起，常常夜里两点还醒着。"
    held_out.append(other(900) | {"profile": {"text": story}})
    planted = [
        held_out[0] | {"id": "same"},
        held_out[1] | {"id": "nearly", "turns": [*held_out[1]["turns"][:-1], {"speaker": "counselor", "text": "好的，再见。"}]},
        other(901) | {"id": "client", "profile": {"text": f"{story}真累。"}},
        # the same talk, but for who the client is said to be
        held_out[2] | {"id": "disguised", "profile": {"text": "完全不同的一个人，住在海边，喜欢画画，也喜欢早起跑步。"}},
        held_out[3] | {"id": "disguised too", "profile": {"text": "另一个人，开出租车，夜里常常听收音机，也会自己唱歌。"}},
    ]
    planted[4]["turns"] = [*planted[4]["turns"][:-1], {"speaker": "counselor", "text": "好的，那就这样，再见。"}]
    train = write_jsonl(tmp_path / "train.jsonl", [*dialogues()[20:], *planted])
    test = write_jsonl(tmp_path / "test.jsonl", held_out)
    report = curated(out, train, test=[test], split={"dev": 0.2})
    found = reasons(out)
    assert found["train.jsonl/same"] == found["train.jsonl/nearly"] == ("test_client", "its client is in the test set")
    assert found["train.jsonl/client"][0] == "test_client"
    assert found["train.jsonl/disguised"] == ("test_text", f"like test.jsonl/{held_out[2]['id']} of the test set")
    assert found["train.jsonl/disguised too"][0] == "test_text"
    assert report.dropped == {"test_client": 3, "test_text": 2}
    assert report.overlap_left == 0
    assert brute_force_overlap(out, [row["turns"] for row in held_out]) == 0
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["test"][0]["digest"] == sha256(test.read_bytes()).hexdigest()


def brute_force_overlap(out: Path, held_out: list[Turns]) -> int:
    """Count pairs of written and held-out conversations that are alike, each compared with each."""
    written = [
        normal_form("".join(message["content"] for message in row["messages"] if message["role"] != "system"))
        for file in ("messages-train.jsonl", "messages-dev.jsonl")
        for row in read_jsonl(out / file)
    ]
    theirs = sign([normal_form("".join(turn["text"] for turn in turns)) for turns in held_out])
    return sum(int((similarity(row, theirs) >= 0.8).sum()) for row in sign(written))


def test_what_is_checked_at_the_end_counts_what_would_be_left(tmp_path: Path, out: Path) -> None:
    """With our own test split, exact duplicates alone compared: a near one on both sides is an overlap of no client."""
    rows = [other(number) for number in range(30)]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"test": 0.4})
    assert report.overlap_left == 0
    assert report.written["test"].sessions > 3
    learnt = [row["messages"] for row in read_jsonl(out / "messages-train.jsonl")]
    tested = [row["messages"] for row in read_jsonl(out / "messages-test.jsonl")]
    assert not [one for one in learnt if one in tested]


# ── the same bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def digests(out: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


def test_the_same_input_gives_the_same_bytes_in_one_process_or_two(tmp_path: Path) -> None:
    rows = [
        *dialogues(),
        talk("r", (2, "kill myself")),
        *(other(number) for number in range(1000)),
        talk("short", turns=EN[:2]),
        *dialogues()[:9],
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    for number, processes in enumerate((1, 1, 2)):
        curated(tmp_path / f"out{number}", path, report=True, processes=processes, split={"dev": 0.1, "test": 0.1})
    first, *others = (digests(tmp_path / f"out{number}") for number in range(3))
    assert others == [first, first]
    assert len(first) == 16


def test_the_manifest_vouches_for_every_file_and_names_no_folder(tmp_path: Path, out: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", dialogues())
    report = curated(out, path, report=True, split={"dev": 0.1})
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: digest for name, digest in digests(out).items() if name != "manifest.json"
    }
    assert set(report.files) == set(digests(out))
    assert manifest["files"]["messages-train.jsonl"]["rows"] == report.written["train"].rows
    assert manifest["files"]["train.parquet"]["rows"] == report.written["train"].rows
    assert manifest["sources"][0] | {} == {
        "name": "a.jsonl",
        "kind": "corpus",
        "digest": sha256(path.read_bytes()).hexdigest(),
        "licence": "",
        "made_by": {},
    }
    assert manifest["counts"]["read"] == 60
    assert str(tmp_path) not in "".join(file.read_text("utf-8", "replace") for file in out.iterdir())


def test_a_curation_that_fails_changes_nothing(tmp_path: Path, out: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", dialogues())
    curated(out, path)
    before = digests(out)
    write_jsonl(path, [talk("short", turns=EN[:2])])
    with pytest.raises(ExportError, match=r"nothing to learn from: read 1, mended 0, dropped: too_short 1"):
        curated(out, path)
    write_jsonl(path, [*dialogues(), [], {}])
    with pytest.raises(RowsError, match=r"2 of 62 rows cannot be read; --skip-bad goes on without them\n  a.jsonl, row 61: "):
        curated(out, path)
    assert digests(out) == before
    report = curated(out, path, skip_bad=True)
    assert (report.bad, dict(report.table())["bad rows"]) == (2, 2)
    assert "2 rows could not be read and were left out" in report.notes


def test_files_of_an_earlier_curation_do_not_outlive_it_and_others_files_do(tmp_path: Path, out: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", dialogues())
    curated(out, path, report=True, split={"dev": 0.3, "test": 0.3})
    (out / "notes.txt").write_text("mine")
    curated(out, path, split={"dev": 0})
    assert not {"messages-dev.jsonl", "data-test.json", "dev.parquet", "report.html"} & set(digests(out))
    assert (out / "notes.txt").read_text() == "mine"
    (out / "manifest.json").write_text("[]")
    curated(out, path, split={"dev": 0})


def test_a_folder_of_others_data_sets_is_refused_before_any_work(tmp_path: Path, out: Path) -> None:
    out.mkdir()
    (out / "dataset_info.json").write_text('{"identity": {"file_name": "identity.json"}}')
    with pytest.raises(ExportError, match=r"lists other data sets \(identity\)"):
        curated(out, write_jsonl(tmp_path / "a.jsonl", [[]]))


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        curated(tmp_path / "file" / "out", write_jsonl(tmp_path / "a.jsonl", dialogues()))


def test_a_wrong_configuration_is_refused_before_any_work(tmp_path: Path, out: Path) -> None:
    with pytest.raises(ConfigError, match=r"split.dev 0.5 and split.test 0.5 leave nothing to learn from"):
        curated(out, split={"dev": 0.5, "test": 0.5})
    with pytest.raises(ConfigError, match=r"checks.off: no check is called lsits; known: too_short, role_flip"):
        curated(out, checks={"off": ["lists", "lsits"]})
    assert not out.exists()


# ── what others read ─────────────────────────────────────────────────────────────────────────────────────────────────────


def llama_factory_rows(out: Path, name: str) -> list[list[dict[str, str]]]:
    """Read a data set by LLaMA-Factory's rules (0.9.5, sharegpt): an odd place asks, an even one answers, the count is even."""
    entry = json.loads((out / "dataset_info.json").read_text("utf-8"))[name]
    assert entry["formatting"] == "sharegpt"
    tags = entry["tags"]
    rows = []
    for row in json.loads((out / entry["file_name"]).read_text("utf-8")):
        messages = row[entry["columns"]["messages"]]
        if messages[0][tags["role_tag"]] == tags["system_tag"]:
            messages = messages[1:]
        asks, answers = messages[::2], messages[1::2]
        assert len(asks) == len(answers) > 0, "dropped: odd count"
        assert {one[tags["role_tag"]] for one in asks} == {tags["user_tag"]}, "dropped: out of turn"
        assert {one[tags["role_tag"]] for one in answers} == {tags["assistant_tag"]}, "dropped: out of turn"
        rows.append(messages)
    return rows


@pytest.mark.parametrize("samples", ["session", "turn"])
def test_llama_factory_drops_no_dialogue(samples: str, tmp_path: Path, out: Path) -> None:
    rows = [*dialogues(), talk("system", system="你是咨询师。"), talk("hello", turns=[EN[1], *EN, EN[0]])]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), samples=samples, split={"dev": 0.1, "test": 0.1})
    names = {"train": "practicum", "dev": "practicum_dev", "test": "practicum_test"}
    for split, size in report.written.items():
        read = llama_factory_rows(out, names[split])
        assert len(read) == size.rows > 0
        theirs = [[m for m in row["messages"] if m["role"] != "system"] for row in read_jsonl(out / MESSAGES[split])]
        assert read == theirs


@pytest.mark.filterwarnings("ignore")
def test_trl_and_datasets_read_every_row_without_loss(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    trl_data = pytest.importorskip("trl.data_utils")
    curated(out, write_jsonl(tmp_path / "a.jsonl", [*dialogues(), talk("e", system="Listen.")]), split={"dev": 0.2})
    for kind, file in (("json", "messages-train.jsonl"), ("parquet", "train.parquet")):
        loaded = datasets.load_dataset(kind, data_files=str(out / file), split="train", cache_dir=str(tmp_path / "cache"))
        rows = read_jsonl(out / "messages-train.jsonl")
        assert [row["id"] for row in loaded] == [row["id"] for row in rows]
        assert [row["messages"] for row in loaded] == [row["messages"] for row in rows]
        assert all(trl_data.is_conversational(row) for row in loaded)


@pytest.mark.filterwarnings("ignore")
def test_the_hub_reads_the_cards_head_and_its_splits(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    card_data = pytest.importorskip("huggingface_hub").DatasetCard
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", dialogues()), split={"dev": 0.2, "test": 0.2})
    head = card_data.load(out / "README.md").data.to_dict()
    assert (head["language"], head["license"], head["size_categories"]) == (["zh"], "cc0-1.0", ["n<1K"])
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {split: size.rows for split, size in report.written.items()}


# ── the card and the report ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_card_says_where_it_comes_from_and_what_was_done(tmp_path: Path, out: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", dialogues())
    write_jsonl(tmp_path / "b|`<b>.jsonl", [talk("e"), talk("short", turns=EN[:2])])
    curated(out, tmp_path / "a.jsonl", tmp_path / "b|`<b>.jsonl", split={"dev": 0})
    card = (out / "README.md").read_text("utf-8")
    assert "license: other" in card
    assert "- en\n- zh\n" in card
    assert "| a.jsonl | corpus | CC0-1.0 60 |" in card
    assert "| b\\|'&lt;b>.jsonl | corpus | unknown 1 |" in card
    assert "| `too_short` | too few exchanges, or the client hardly says anything | min_exchanges 4, min_client_chars 60 | 1 | 1 |" in card
    assert "| train | 61 | 61 | 61 |" in card


class Page(HTMLParser):
    """What a page asks for, and the text in each language."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: Counter[str] = Counter()
        self.languages: list[str] = []
        self.text: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.asked += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        if tag not in ("meta", "rect", "line", "link"):
            given = dict(attrs).get("lang")
            self.languages.append(given if given is not None else (self.languages[-1] if self.languages else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "rect", "line", "link"):
            self.languages.pop()

    def handle_data(self, data: str) -> None:
        language = self.languages[-1] if self.languages else ""
        self.text[language] = self.text.get(language, "") + data


def test_the_report_asks_for_nothing_and_says_each_text_in_its_language(tmp_path: Path, out: Path) -> None:
    script = "<script>alert('x')</script> what comes to mind first when you wake?"
    rows = [
        *dialogues()[:20], *(other(number) for number in range(40)), talk("e", (1, script)), talk("short", (1, script), turns=EN[:2]),
        {"id": "短", "turns": [{"speaker": "client", "text": "只有一句话。"}]}, talk("again", (1, script)),
        talk("once more", *((index, f"{index} another thing entirely {index * 7919}") for index in range(2, 8)), profile="Someone else."),
    ]  # fmt: skip
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), report=True, split={"dev": 0})
    html = (out / "report.html").read_text("utf-8")
    page = Page()
    page.feed(html)
    assert page.asked == []
    assert "http" not in html.replace("http-equiv", "")
    assert "url(" not in html
    assert (page.tags["svg"], page.tags["script"]) == (3, 0)
    assert "&lt;script&gt;" in html
    assert page.languages == []
    assert "只有一句话。" in page.text["zh-Hans"]
    assert not any("\u4e00" <= char <= "\u9fff" for char in page.text["en"].replace("短", ""))
    assert html.count("exchanges</summary>") == 10
    assert f'<tr><td>dropped: duplicate</td><td class="n">{report.dropped["duplicate"]}</td></tr>' in html
    assert "the same as a.jsonl/e" in html
    assert '2 ×</td><td lang="en">I have been waking at three' in html


def test_a_report_of_one_session_has_its_plots(tmp_path: Path, out: Path) -> None:
    curated(out, write_jsonl(tmp_path / "a.jsonl", [talk("e")]), report=True, split={"dev": 0})
    html = (out / "report.html").read_text("utf-8")
    assert html.count("<rect") == 22  # one bar each, and twenty of the share in percent
    assert "No two are the same." in html
    assert "Nothing: no check spoke against any session." in html


# ── runs of a store ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run `r` of three clients in a store in the current folder: one is at risk, one is a test client."""
    monkeypatch.chdir(tmp_path)
    profiles = [
        Profile.of("我二十九岁，最近升职以后一直睡不好。"),
        Profile.of("I sleep badly and want to kill myself."),
        Profile.of("我总和妈妈吵架。"),
    ]
    profiles[2] = Profile(id="t", text=profiles[2].text, language="zh", split="test")
    for name, lines in {"client": "睡不好\n想工作的事\n怕说错\n谢谢，再见", "counselor": "请说\n什么事呢？\n怕什么呢？\n再见"}.items():
        (tmp_path / f"{name}.txt").write_text(lines, "utf-8")
    models: dict[str, Any] = {"client": f"script:{tmp_path}/client.txt", "counselor": f"script:{tmp_path}/counselor.txt"}
    practicum.simulate(profiles, run="r", max_exchanges=5, db="sqlite:///practicum.db", **models)
    return "r"


def test_a_run_brings_profiles_prompts_and_its_makers(run: str, out: Path) -> None:
    report = curated(out, run, near_duplicate=1.0, checks={"min_exchanges": 1}, split={"dev": 0})
    assert {split: size.sessions for split, size in report.written.items()} == {"train": 1}
    assert (report.risk_apart, report.dropped) == (1, {"duplicate": 1})  # the scripted client says the same to everybody
    (row,) = read_jsonl(out / "messages-train.jsonl")
    assert row["messages"][0]["role"] == "system"
    (source,) = json.loads((out / "manifest.json").read_text("utf-8"))["sources"]
    assert source["kind"] == "run"
    assert {one["role"] for one in source["made_by"]["participants"]} == {"client", "counselor"}
    card = (out / "README.md").read_text("utf-8")
    assert "### r" in card
    assert "| client | script:" in card
    with Store.open("sqlite:///practicum.db") as store:
        assert store.trained_on() == {Profile.of("我二十九岁，最近升职以后一直睡不好。").digest}


def test_a_run_as_the_test_set_keeps_its_clients_out(run: str, tmp_path: Path, out: Path) -> None:
    rows = [other(1), other(2) | {"profile": "我总和妈妈吵架。"}]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), test=[Path(run)], split={"dev": 0})
    assert report.dropped == {"test_client": 1}


def test_sessions_that_never_ended_are_counted(tmp_path: Path, out: Path) -> None:
    rows = [other(1), {"key": "k", "turns": [], "ending": None}, {"key": "l", "turns": [], "ending": "failed"}]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0})
    assert report.left_out == {"failed": 1, "unfinished": 1}
    assert ("left out: unfinished", 1) in report.table()


def test_two_sources_of_one_name_are_told_apart(tmp_path: Path, out: Path) -> None:
    for place, number in (("a", 1), ("b", 2), ("c", 3)):
        (tmp_path / place).mkdir()
        write_jsonl(tmp_path / place / "data.jsonl", [other(number)])
    curated(out, *(tmp_path / place / "data.jsonl" for place in "abc"), split={"dev": 0})
    assert set(splits(out)) == {"data.jsonl/o1", "data.jsonl~2/o2", "data.jsonl~3/o3"}


def test_a_folder_that_we_have_written_is_not_read_as_a_corpus(tmp_path: Path, out: Path) -> None:
    curated(out, write_jsonl(tmp_path / "a.jsonl", dialogues()))
    with pytest.raises(RowsError, match=r"a data set of practicum; name one of its files"):
        curated(tmp_path / "again", out)
    report = curated(tmp_path / "again", out / "messages-train.jsonl", out / "data-dev.json", split={"dev": 0})
    assert report.written["train"].sessions == 60


def test_a_name_that_is_neither_file_nor_run_is_refused(run: str, out: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"q: no such file or folder, and there is no run 'q' in this store; known: r"):
        curated(out, "q")
    (tmp_path / "practicum.db").unlink()
    with pytest.raises(ConfigError, match=r"q: no such file or folder, and no store to look for a run of this name in"):
        curated(out, "q")


def test_no_pair_of_sessions_written_is_nearly_the_same(tmp_path: Path, out: Path) -> None:
    rows = [*dialogues()]
    rows += [row | {"id": f"{row['id']}x", "turns": [*row["turns"][:-1], {"speaker": "counselor", "text": "再见。"}]} for row in rows]
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", rows), split={"dev": 0})
    signed = sign([normal_form("".join(m["content"] for m in row["messages"])) for row in read_jsonl(out / "messages-train.jsonl")])
    assert not [1 for one, two in combinations(signed, 2) if (one == two).mean() >= 0.8]
    assert report.dropped["near_duplicate"] > 40


def test_a_watcher_hears_how_far_it_is(tmp_path: Path, out: Path) -> None:
    heard: list[tuple[str, int]] = []
    path = write_jsonl(tmp_path / "a.jsonl", dialogues())
    curated(out, path, test=[write_jsonl(tmp_path / "b.jsonl", [talk("e")])], watch=lambda doing, done: heard.append((doing, done)))
    assert heard == [("test set", 1), ("read", 60), ("compared", 0), ("compared", 60)]


def test_without_pyarrow_there_is_no_parquet_and_that_is_said(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", dialogues()), split={"dev": 0.2})
    assert not list(out.glob("*.parquet"))
    assert "path: messages-dev.jsonl" in (out / "README.md").read_text("utf-8")
    assert [note for note in report.notes if note.startswith("no Parquet: pyarrow is not installed")]


def test_without_rensa_the_command_says_what_to_install(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(ConfigError, match="pip install rensa"):
        curated(out, write_jsonl(tmp_path / "a.jsonl", dialogues()))


def test_a_process_that_dies_is_an_error_of_one_line(tmp_path: Path, out: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", dialogues())
    with pytest.raises(ExportError, match=r"a process that looked at conversations died; .*processes=1"):
        curated(out, path, gate=Gate(mend=die, examine=None), processes=2)
    assert not list(out.iterdir())


def test_more_rows_than_parquet_holds_at_once_and_a_folder_with_a_broken_list(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_jsonl(folder / "1.jsonl", [other(number) for number in range(400)])
    (folder / "2.json").write_text(json.dumps(other(401), indent=1), "utf-8")
    (folder / "3.json").write_text(f"[{json.dumps(other(402))}, {{}}, nothing]", "utf-8")
    report = curated(out, folder, samples="turn", skip_bad=True, split={"dev": 0})
    assert (report.bad, report.written["train"].rows) == (2, 402 * 4)
    parquet = pytest.importorskip("pyarrow.parquet").read_table(out / "train.parquet")
    assert parquet["id"].to_pylist() == [row["id"] for row in read_jsonl(out / "messages-train.jsonl")]
    assert parquet["messages"].to_pylist() == [row["messages"] for row in read_jsonl(out / "messages-train.jsonl")]


def test_a_small_dev_share_that_nobody_falls_into_is_noted(tmp_path: Path, out: Path) -> None:
    report = curated(out, write_jsonl(tmp_path / "a.jsonl", [other(1)]), split={"dev": 1e-9})
    assert "no client fell into dev (share 1e-09); a larger --dev gives some" in report.notes


def test_an_unknown_name_of_the_room_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'curator'"):
        practicum.dataset.curator  # noqa: B018
    assert all(getattr(practicum.dataset, name) for name in practicum.dataset.__all__)
