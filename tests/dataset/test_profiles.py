from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from practicum.core import LANGUAGES, Language, Profile, Source, text_digest
from practicum.dataset import bundled_profiles, describe_profiles, read_profiles
from practicum.errors import ProfileError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "profiles" / "interactive-agents-train.json"

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def refusal(path: Path) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        read_profiles(path)
    return caught.value


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_origins_list_of_stories_is_read_as_it_is(write: Write) -> None:
    assert read_profiles(write("p.json", '["我总是睡不着", "I cannot sleep"]')) == [
        Profile(id=text_digest("我总是睡不着"), text="我总是睡不着", language="zh"),
        Profile(id=text_digest("I cannot sleep"), text="I cannot sleep", language="en"),
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the origin's profiles lie beside the project")
def test_the_origins_own_file_is_read_whole() -> None:
    stories = orjson.loads(SHARED.read_bytes())
    assert [profile.text for profile in read_profiles(SHARED)] == stories


def test_a_list_of_stories_does_not_load_pydantic(write: Write) -> None:
    path = write("p.json", '["我总是睡不着"]')
    code = "import sys, pathlib, practicum.dataset as d; d.read_profiles(pathlib.Path(sys.argv[1])); assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)})


FULL = Profile(
    id="7",
    text="我总是睡不着",
    language="zh",
    facts={"age": "34", "职业": "教师"},
    source=Source(origin="me", licence="MIT"),
    split="test",
)
FULL_JSON = (
    '{"id": 7, "text": " 我总是睡不着\\r\\n", "language": "zh", "facts": {"age": 34, "职业": "教师"},'
    ' "source": {"origin": "me", "licence": "MIT"}, "split": "test"}'
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", f"[{FULL_JSON}]"),
        ("p.json", FULL_JSON),
        ("p.jsonl", FULL_JSON),
        ("p.ndjson", "\ufeff" + FULL_JSON + "\n\n"),
        ("p.JSONL", f"[{FULL_JSON}]"),
        ("p", FULL_JSON),
        ("p.csv", "id,text,language,facts.age,facts.职业,source,source.licence,split\n7,我总是睡不着,zh,34,教师,me,MIT,test\n"),
        (
            "p.csv",
            "\ufefftext;id;facts.age;facts.职业;source.origin;source.licence;split\r\n我总是睡不着;7;34;教师;me;MIT;test\r\n;;;;;;\r\n",
        ),
    ],
)
def test_every_format_gives_the_same_profile(write: Write, name: str, content: str) -> None:
    assert read_profiles(write(name, content)) == [FULL]


def test_objects_need_a_text_only(write: Write) -> None:
    row = '{"text": "I cannot sleep", "id": null, "language": null, "facts": null, "source": null, "split": null}'
    assert read_profiles(write("p.jsonl", row)) == read_profiles(write("q.jsonl", '\n{"text": "I cannot sleep"}\n'))
    assert read_profiles(write("p.jsonl", row)) == [Profile.of("I cannot sleep")]


def test_a_bare_source_is_its_origin(write: Write) -> None:
    assert read_profiles(write("p.jsonl", '{"text": "a", "source": "PsyQA"}'))[0].source == Source(origin="PsyQA")


def test_json_lines_end_at_line_feeds_only(write: Write) -> None:
    assert [p.text for p in read_profiles(write("p.jsonl", '{"text": "a\u2028b"}\n"c"\n'))] == ["a\u2028b", "c"]


def test_a_csv_cell_may_hold_lines_and_an_empty_one_is_absent(write: Write) -> None:
    path = write("p.csv", 'id,text,facts.age\n,"first, line\nsecond",\n')
    assert read_profiles(path) == [Profile.of("first, line\nsecond")]


def test_a_folder_gives_a_profile_for_each_visible_text_file_by_name(tmp_path: Path, write: Write) -> None:
    write("b.txt", "story b")
    write("a.TXT", "\ufeffstory a\r\nline 2\r\n")
    write(".c.txt", "hidden")
    write("notes.md", "no story")
    assert [(p.id, p.text) for p in read_profiles(tmp_path)] == [("a", "story a\nline 2"), ("b", "story b")]
    assert [(p.id, p.text) for p in read_profiles(tmp_path / "b.txt")] == [("b", "story b")]


def test_the_language_that_is_asked_for_overrides_the_files(write: Write) -> None:
    path = write("p.json", '[{"text": "abc", "language": "en"}, "abcd"]')
    assert [p.language for p in read_profiles(path)] == ["en", "en"]
    assert [p.language for p in read_profiles(path, language="zh")] == ["zh", "zh"]


def test_a_test_profile_stays_one_whatever_split_is_asked_for(write: Write) -> None:
    path = write("p.json", '[{"text": "a", "split": "test"}, {"text": "b"}, "c"]')
    assert [p.split for p in read_profiles(path, split="train")] == ["test", "train", "train"]


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('""', "row 1: text is empty"),
        ('" \\n "', "row 1: text is empty"),
        ('"a\\u0000"', "row 1: text has the control character U+0000 at position 2; remove it"),
        (f'"{"a" * 20_001}"', "row 1: text has 20,001 characters, at most 20,000 are taken"),
        ("17", "row 1: expected a story or an object with 'text', got 17"),
        ("[[]]", "row 1: expected a story or an object with 'text', got a list"),
        ("[null]", "row 1: expected a story or an object with 'text', got null"),
        ("{}", "row 1: text is missing"),
        ('{"text": ""}', "row 1: text is empty"),
        ('{"text": 17}', "row 1: text must be text, not 17"),
        ('{"text": {"a": 1}}', "row 1: text must be text, not an object"),
        ('{"text": "a", "id": true}', "row 1: id must be text, not true"),
        ('{"text": "a", "id": " "}', "row 1: id is empty"),
        ('{"text": "a", "id": "b\\nc"}', "row 1: id 'b\\nc' must be one line without control characters"),
        (f'{{"text": "a", "id": "{"b" * 201}"}}', "row 1: id has 201 characters, at most 200 are taken"),
        ('{"text": "a", "language": "jp"}', "row 1: language 'jp' is not one of zh, en"),
        ('{"text": "a", "split": "dve"}', "row 1: split 'dve' is not one of train, dev, test"),
        ('{"text": "a", "facts": [1]}', "row 1: facts must be an object, not a list"),
        ('{"text": "a", "facts": {"age": ""}}', "row 1: facts.age is empty"),
        ('{"text": "a", "facts": {"a\\nb": {}}}', "row 1: facts.'a\\nb' 'a\\nb' must be one line"),
        (f'{{"text": "a", "facts": {{"{"f" * 90}": null}}}}', f"row 1: facts.{'f' * 53}… must be text, not null"),
        ('{"text": "a", "source": {"url": "x"}}', "row 1: unknown key 'source.url'"),
        ('{"text": "a", "sex": "f"}', "row 1: unknown key 'sex' (known keys: id, text, language, facts, source, split)"),
        ('{"a": 1, "b": 1, "c": 1, "d": 1}', "row 1: text is missing; unknown key 'a'; unknown key 'b'; and 2 more (known"),
        (f'{{"text": "a", "language": "{"j" * 99}"}}', f"row 1: language '{'j' * 58}… is not one of zh, en"),
    ],
)
def test_a_bad_row_is_one_line_that_says_what_is_wrong(write: Write, row: str, problem: str) -> None:
    error = refusal(write("p.json", row if row.startswith("[") else f"[{row}]"))
    assert error.problems[0].startswith(problem)
    assert len(error.problems) == 1
    assert "\n" not in error.problems[0]


def test_a_longest_story_is_taken(write: Write) -> None:
    assert len(read_profiles(write("p.json", f'["{"a" * 20_000}"]'))[0].text) == 20_000


def test_one_bad_row_does_not_hide_the_others(write: Write) -> None:
    error = refusal(write("p.jsonl", '{"text": "a"}\n\n{"text": }\n{"text": ""}\n17\n"b"\n'))
    assert error.args[0].endswith("p.jsonl: 3 of 5 rows cannot be used")
    assert error.problems == (
        "row 3: not JSON: unexpected character, expected a JSON value (column 10)",
        "row 4: text is empty",
        "row 5: expected a story or an object with 'text', got 17",
    )


def test_ten_bad_rows_are_shown_and_the_rest_counted(write: Write) -> None:
    error = refusal(write("p.json", orjson.dumps([""] * 13)))
    assert len(error.problems) == 13
    assert str(error).splitlines()[10:] == ["  row 10: text is empty", "  and 3 more"]


def test_repeated_rows_are_named_with_the_first(write: Write) -> None:
    rows = ["one", {"text": "two", "id": "x"}, " one ", {"text": "three", "id": "x"}, {"text": "two", "id": "x"}, "one"]
    assert refusal(write("p.json", orjson.dumps(rows))).problems == (
        "row 3: the same text as row 1",
        "row 4: the same id 'x' as row 2",
        "row 5: the same text as row 2",
        "row 6: the same text as row 1",
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id,txt\n", "the header has no column 'text'; known: id, text,"),
        ("text,age\na,1\n", "unknown column 'age'; known: id, text,"),
        ("text,facts.\na,1\n", "unknown column 'facts.'"),
        ("text,source,source.origin\na,b,c\n", "column 'source.origin' stands twice"),
        ("text\n", "holds no profiles"),
    ],
)
def test_a_csv_without_a_good_header_is_refused(write: Write, content: str, problem: str) -> None:
    error = refusal(write("p.csv", content))
    assert problem in str(error)
    assert error.problems == ()


def test_csv_rows_are_counted_as_a_spreadsheet_does(write: Write) -> None:
    error = refusal(write("p.csv", 'id,text,language\na,"x\ny",\n,,\nb,\nc,z,jp\nd,,\ne,"z"z,\nf,g,\n'))
    assert error.problems == (
        "row 4: 2 cells, but the header has 3",
        "row 5: language 'jp' is not one of zh, en",
        "row 6: text is empty",
        "row 7: not CSV: ',' expected after '\"'; nothing below it was read",
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("p.json", "", "holds no profiles"),
        ("p.json", " \n", "holds no profiles"),
        ("p.json", "[]", "holds no profiles"),
        ("p.txt", "\ufeff", "holds no profiles"),
        ("p.json", '["a",\n"b"', "not JSON: unexpected end of data: line 2 column"),
        ("p.json", "[" * 5_000, "not JSON: depth limit exceeded"),
        ("p.json", f"[{'9' * 400}]", "not JSON: number is infinity when parsed as double"),
        ("p.json", "story", "not JSON:"),
        ("p.yaml", "- a", "the suffix '.yaml' names no format; expected a .json"),
        ("p.txt", "睡\n不着".encode("gb18030"), "not UTF-8: byte 0xb2 at offset 3, line 2; save it as UTF-8 (e.g. iconv -f GB18030"),
        ("p.csv", b"text\nok\n\xff", "not UTF-8: byte 0xff at offset 8, line 3;"),
        ("p.txt", "睡".encode("utf-16"), "iconv -f UTF-16"),
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_one_line(write: Write, name: str, content: str | bytes, problem: str) -> None:
    path = write(name, content)
    assert str(refusal(path)).startswith(f"{path}: {problem}") or problem in str(refusal(path))
    assert "\n" not in str(refusal(path))


def test_what_is_not_there_or_not_a_file_is_said(tmp_path: Path, write: Write) -> None:
    assert "no such file or folder" in str(refusal(tmp_path / "nope.json"))
    assert "no such file or folder" in str(refusal(Path("a\0b.json")))
    assert "a folder without .txt files" in str(refusal(tmp_path))
    assert "cannot be read (File name too long)" in str(refusal(tmp_path / ("x" * 5_000)))
    huge = write("huge.json", "[]")
    os.truncate(huge, 2**30 + 1)
    assert "larger than 1 GiB" in str(refusal(huge))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.json"))
        assert "neither a file nor a folder" in str(refusal(tmp_path / "s.json"))


def test_bad_files_of_a_folder_are_reported_together(tmp_path: Path, write: Write) -> None:
    write("a.txt", b"\xff")
    write("b.txt", "fine")
    write("c.txt", " ")
    write("e.txt", "fine")
    (tmp_path / "d.txt").mkdir()
    (tmp_path / "f.txt").symlink_to("f.txt")
    (tmp_path / "g.txt").symlink_to("g" * 300)
    problems = refusal(tmp_path).problems
    assert [problem.partition("; ")[0] for problem in problems] == [
        "file 'a.txt': not UTF-8: byte 0xff at offset 0, line 1",
        "file 'c.txt': text is empty",
        "file 'd.txt': neither a file nor a folder",
        "file 'e.txt': the same text as file 'b.txt'",
        "file 'f.txt': neither a file nor a folder",
        "file 'g.txt': cannot be read (File name too long)",
    ]


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────────────────────────

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "text", "facts", "source", "x\n"]), inner, max_size=4)
    ),
    max_leaves=12,
)
CSV_LIKE = st.text(st.sampled_from('text,;\t"\n\r\0idfacts.a睡'), max_size=60).map(lambda rest: f"text{rest}".encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(
    suffix=st.sampled_from([".json", ".jsonl", ".csv", ".txt", ""]),
    content=st.binary(max_size=80)
    | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | JSON_LIKE.map(orjson.dumps)
    | st.lists(JSON_LIKE.map(orjson.dumps), max_size=4).map(b"\n".join)
    | CSV_LIKE,
)
@example(suffix=".json", content=b"[" * 1000 + b"]" * 1000)
@example(suffix=".jsonl", content=b'{"text":' * 1000 + b"1" + b"}" * 1000)
@example(suffix=".csv", content=b"text\n" + b"a" * 200_000)
@example(suffix=".csv", content=b'text\tid\n"a"b\tc\n')
@example(suffix=".json", content=b'["\\ud800"]')
def test_any_bytes_give_profiles_or_one_clear_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    profiles: list[Profile] = []
    problems: Sequence[str] = ()
    try:
        profiles = read_profiles(path)
    except ProfileError as error:
        problems = error.problems or [str(error)]
    assert bool(profiles) is not bool(problems)
    assert all(line.isprintable() for line in problems)
    assert len({profile.id for profile in profiles}) == len({profile.text for profile in profiles}) == len(profiles)
    assert all(profile.text.strip() and profile.text.encode() for profile in profiles)


# ── ours, and what is said about them ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_ten_profiles_come_with_the_package(language: Language) -> None:
    profiles = bundled_profiles(language)
    assert len(profiles) == 10
    assert {profile.language for profile in profiles} == {language}


def test_a_description_counts_what_is_there() -> None:
    profiles = [Profile.of("我不想活了，想自杀"), Profile.of("我睡不着"), Profile(id="x", text="abc", language="en", split="test")]
    assert describe_profiles(profiles) == {
        "count": 3,
        "languages": {"en": 1, "zh": 2},
        "lengths": {"min": 3, "median": 4, "max": 9},
        "splits": {"none": 2, "test": 1},
        "risky": 1,
        "risks": {"suicide": 1},
        "duplicates": 0,
    }


def test_a_description_counts_stories_that_stand_twice() -> None:
    assert describe_profiles([Profile.of("a"), Profile(id="x", text="a", language="en"), Profile.of("b")])["duplicates"] == 1
