"""What the pages say is so: links resolve, commands parse, tables agree with the code, and Chinese and English say the same."""

from __future__ import annotations

import csv
import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import practicum
from practicum.arena import ArenaConfig, GoOn, SupervisorConfig, read_arena_config
from practicum.backends import CATALOG, PRESETS
from practicum.build import ArenaPlan, Plan, plan_arena, plan_run
from practicum.cli import app, ranking
from practicum.cli.arena import PRESETS as DESIGNS
from practicum.core import Ending, Language, Profile, Session
from practicum.dataset import bundled_profiles, read_profiles
from practicum.dataset.formats import COLUMNS
from practicum.engine import ChairConfig, RunConfig, SessionsConfig, known_keys, read_config
from practicum.measures import Fault, Risk, find_risks
from practicum.measures.farewell import PAPER_ENDINGS
from practicum.report import cautions
from practicum.store.tables import METADATA

ROOT = Path(__file__).parent.parent
ENGLISH = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".zh.md"))]
CHINESE = [page.with_suffix(".zh.md") for page in ENGLISH]
TALKS = [*ENGLISH, *CHINESE, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "adr").glob("*.md"))]

every_page = pytest.mark.parametrize("page", TALKS, ids=lambda page: page.name)
every_english_page = pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.name)
both_languages = pytest.mark.parametrize("suffix", [".md", ".zh.md"])


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def prose(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", text_of(page))


def blocks(text: str, kind: str = r"\w*") -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", text)


def section(page: Path, number: int) -> str:
    """Return the section under a page's n-th heading of the second level: its words differ between the languages."""
    return re.split(r"(?m)^## ", text_of(page))[number]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table's rows, heads left out."""
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    heads = [number - 1 for number, row in enumerate(cells) if set("".join(row)) <= set(" -")]
    return [[cell.strip() for cell in row] for number, row in enumerate(cells) if number not in heads and number - 1 not in heads]


def ticked(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def slugs(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def links(page: Path) -> Iterator[tuple[Path, str]]:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in slugs(target), anchor


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_leads_to_chinese_pages(page: Path) -> None:
    english = page.with_name(page.name.replace(".zh", ""))
    assert [target for target, _ in links(page) if target in ENGLISH] == [english]


def skeleton(page: Path) -> tuple[list[str], list[int], list[str]]:
    """Return what a translation keeps: levels of headings, cells of rows, code without its comments."""
    code = [re.sub(r"(?m)\s*#.*$", "", block) for block in blocks(text_of(page))]
    return re.findall(r"(?m)^(#+) ", prose(page)), [len(row) for row in rows(prose(page))], code


@every_english_page
def test_both_languages_have_the_same_outline_tables_and_code(page: Path) -> None:
    twin = page.with_suffix(".zh.md")
    assert (twin, "") in links(page)
    assert skeleton(page) == skeleton(twin)


def commands(page: Path) -> Iterator[str]:
    """Yield every command line of ours, from shell blocks (continued lines joined) and from running text."""
    for block in blocks(text_of(page), "sh"):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.startswith("practicum "))
    yield from (code for code in ticked(prose(page)) if code.startswith("practicum "))


@every_page
def test_commands_are_ones_that_the_command_line_takes(page: Path) -> None:
    for line in commands(page):
        command: Any = get_command(app)
        _, *args = shlex.split(line, comments=True)
        while isinstance(command, TyperGroup) and args:
            command = command.commands[args.pop(0)]
        if args:  # else the verb alone is spoken of
            command.make_context(line, args)


def test_the_table_of_verbs_is_complete() -> None:
    verbs = {code.split()[0] for row in rows(section(ROOT / "README.md", 3)) for code in ticked(row[0])}
    assert verbs == set(get_command(app).commands)  # type: ignore[attr-defined]


# ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────────


def config_rows(suffix: str) -> dict[str, list[str]]:
    """Return default, values and identity of each key."""
    return {key: row[1:4] for row in rows(section(ROOT / f"docs/configuration{suffix}", 2)) for key in ticked(row[0])}


SECTIONS = [name for name in known_keys() if known_keys(name) != known_keys()]
KEYS = [key for name in ["", *SECTIONS] for key in known_keys(name) if key not in SECTIONS]


def schema_of(key: str) -> tuple[Any, dict[str, Any]]:
    """Return the default and the JSON schema of a key, null left out."""
    whole = RunConfig.model_json_schema()
    found: dict[str, Any] = whole
    for name in key.split("."):
        found = found["properties"][name]
        reference = found.get("$ref") or next((one["$ref"] for one in found.get("anyOf", ()) if "$ref" in one), None)
        found = found | whole["$defs"][reference.rpartition("/")[2]] if reference else found
    return found.get("default"), found | next((one for one in found.get("anyOf", ()) if one.get("type") != "null"), {})


@both_languages
def test_the_configuration_page_names_exactly_the_keys_that_exist(suffix: str) -> None:
    assert sorted(config_rows(suffix)) == sorted(KEYS)


@both_languages
@pytest.mark.parametrize("key", KEYS)
def test_defaults_and_values_of_a_key_are_those_of_the_code(key: str, suffix: str) -> None:
    shown, values, _ = config_rows(suffix)[key]
    default, schema = schema_of(key)
    if not key.endswith(".model"):
        assert ticked(shown) == [default if isinstance(default, str) and default else "–" if default in (None, "") else json.dumps(default)]
    bounds = {schema[name] for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if name in schema}
    if bounds:
        assert {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", values)} == bounds
    if "enum" in schema:
        assert ticked(values) == schema["enum"]


OTHER: dict[str, Any] = {
    "model": "script:echo", "form": "chat", "template": "chatml", "temperature": 0.5, "top_p": 0.5, "max_tokens": 7,
    "key": "NAME", "run": "other", "language": "en", "limit": 1, "per_profile": 2, "max_exchanges": 7, "seed": 7, "at_once": 7,
    "stop_on_risk": True, "policy": "paper", "min_exchanges": 1, "limit_zh": 7, "limit_en": 7, "early_exchanges": 7, "ask_again": 1,
    "timeout": 7, "budget": 7, "requests_per_minute": 7, "tokens_per_minute": 7, "patience": 7, "slots": 8, "context": 1024,
    "threads": 7, "device": "cpu", "dtype": "bfloat16", "batch": 7, "caches": 7, "trust_remote_code": True,
    "prices.prompt": 7, "completion": 7, "currency": "CNY",
}  # fmt: skip
"""A value for each key that is not its default, whatever the section; for a chair's prompt, a file."""

CHAIR = {"model": "script:always 嗯，我在听。", "form": "transcript"}


def plan(**flags: Any) -> Plan:
    chairs = {f"{chair}.{key}": value for chair in ("client", "counselor") for key, value in CHAIR.items()}
    return plan_run(read_config(chairs | flags), bundled_profiles("zh"))


@both_languages
@pytest.mark.parametrize("key", KEYS)
def test_exactly_what_the_page_calls_identity_changes_the_identity(key: str, suffix: str, tmp_path: Path) -> None:
    own_prompt = tmp_path / "prompt.txt"
    own_prompt.write_text("你是咨询师。", "utf-8")
    value = OTHER.get(key, OTHER.get(key.rpartition(".")[2], own_prompt))
    changed = plan(**{key: value}).identity != plan().identity
    assert changed == config_rows(suffix)[key][2].startswith(("yes", "是"))


def test_the_address_of_a_model_is_not_identity() -> None:
    here, there = (plan(**{"client.model": f"vllm:m@http://{host}:8000/v1"}).identity for host in ("gpu1", "gpu2"))
    assert here == there


# ── arena ────────────────────────────────────────────────────────────────────────────────────────────────────────────


ARENA = {key: (ArenaConfig, key) for key in sorted(ArenaConfig.model_fields.keys() - SessionsConfig.model_fields.keys())}
CHAIRS: dict[str, type[ChairConfig]] = {"members": ChairConfig, "supervisors": SupervisorConfig}
SEATS = {f"{name}.NAME.{key}": (chair, key) for name, chair in CHAIRS.items() for key in chair.model_fields}
ARENA_KEYS = {key: found for key, found in ARENA.items() if key not in ("client", *CHAIRS)} | SEATS
"""Keys of an arena that a run of sessions has not, each with the section that it is a field of; the client's chair is as there."""

ARENA_OTHER: dict[str, Any] = {
    "mode": "sessions", "size": 2, "combinations": "with:乙", "orders": "one", "go_on": "random", "combine": "probability",
    "constrain": True, "canaries": 0.5, "repeats": 0.5, "split": "test", "allow_train": True,
}  # fmt: skip
"""As `OTHER`; `history` is tried by itself, for it needs a stored run."""


def arena_rows(suffix: str) -> dict[str, list[str]]:
    """Return default, values and identity of each key."""
    return {key: row[1:4] for row in rows(section(ROOT / f"docs/arena{suffix}", 5)) for key in ticked(row[0])}


def arena(**changes: Any) -> ArenaPlan:
    chairs = {name: {**CHAIR, "model": f"script:always {name}"} for name in "甲乙丙丁"}
    supervisors = {"督导": {**CHAIR, "model": "script:always 结论：tie"}}
    for name, (chair, key) in ((name, name.split(".")[::2]) for name in changes if "." in name):
        next(iter({"members": chairs, "supervisors": supervisors}[chair].values()))[key] = changes[name]
    flags = {"client": CHAIR, "members": chairs, "supervisors": supervisors} | {key: one for key, one in changes.items() if "." not in key}
    return plan_arena(read_arena_config(flags), bundled_profiles("zh"), db="sqlite:///nowhere.db")


@both_languages
def test_the_arena_page_names_exactly_the_keys_that_only_an_arena_has(suffix: str) -> None:
    assert sorted(arena_rows(suffix)) == sorted(ARENA_KEYS)


@both_languages
@pytest.mark.parametrize("key", ARENA_KEYS)
def test_defaults_and_values_of_an_arenas_key_are_those_of_the_code(key: str, suffix: str) -> None:
    shown, values, _ = arena_rows(suffix)[key]
    chair, name = ARENA_KEYS[key]
    schema = chair.model_json_schema()
    found = schema["properties"][name]
    kinds = [one for one in found.get("anyOf", [found]) if one.get("type") != "null"]
    found = found | {
        key: value for kind in kinds for key, value in (kind | schema.get("$defs", {}).get(kind.get("$ref", "")[8:], {})).items()
    }
    default = found.get("default")
    if name != "model":
        assert ticked(shown) == [default if isinstance(default, str) and default else "–" if default in (None, "") else json.dumps(default)]
    bounds = {found[bound] for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if bound in found}
    if bounds:
        assert {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", values)} == bounds
    if "enum" in found:
        assert ticked(values) == found["enum"]


@both_languages
@pytest.mark.parametrize("key", sorted(ARENA_KEYS))
def test_exactly_what_the_arena_page_calls_identity_changes_the_identity(key: str, suffix: str, tmp_path: Path) -> None:
    own_prompt = tmp_path / "prompt.txt"
    own_prompt.write_text("你是督导。", "utf-8")
    if key == "history":
        fixed = arena().config.model_copy(update={"go_on": GoOn.FIXED, "history": "one"})
        one, other = (replace(arena(), config=fixed.model_copy(update={"history": run})).identity for run in ("one", "other"))
        changed = one != other
    else:
        value = ARENA_OTHER[key] if key in ARENA_OTHER else OTHER.get(key.rpartition(".")[2], own_prompt)
        if key.endswith(".form"):
            value = "chat"  # the other one than CHAIR's
        changed = arena(**{key: value}).identity != arena().identity
    assert changed == arena_rows(suffix)[key][2].startswith(("yes", "是"))


def test_the_names_of_counselors_are_not_identity() -> None:
    plain = arena()
    renamed = replace(plain, members={f"{name}二": seat for name, seat in plain.members.items()}, combinations=(("甲二", "乙二", "丙二"),))
    assert renamed.identity == replace(plain, combinations=(("甲", "乙", "丙"),)).identity


@both_languages
def test_the_papers_design_is_told_as_it_is(suffix: str) -> None:
    design = section(ROOT / f"docs/arena{suffix}", 3)
    values = DESIGNS["interactive-agents"]
    assert {str(values[key]) for key in ("limit", "max_exchanges", "client.max_tokens")} <= set(re.findall(r"\d+", design))
    assert {values["orders"], f"--split {values['split']}", f"--ending {values['ending.policy']}"} <= set(ticked(design))
    assert (values["size"], values["go_on"]) == (3, "winner")


def test_the_names_that_the_python_of_the_arena_page_imports_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [code] = blocks(section(ROOT / "docs/arena.md", 6), "python")
    before, _, after = code.partition("result = ")
    there: dict[str, Any] = {}
    exec(before, there)  # noqa: S102 - a page of ours
    assert isinstance(there["config"], ArenaConfig)
    compile(after, "the rest", "exec")
    assert all(callable(there[name]) for name in ("judge", "rank", "read_log", "hold_arena", "plan_arena", "write_report"))


@both_languages
def test_the_reading_page_explains_every_line_and_column(suffix: str) -> None:
    page = ROOT / f"docs/reading{suffix}"
    lines, columns = ({code for row in rows(section(page, number)) for code in ticked(row[0])} for number in (1, 2))
    shown = {column for part, _ in ranking.PARTS for column in part} - {"counselor", "controlled interval"}
    assert shown == columns
    [card] = blocks(section(page, 1), "text")
    assert set(re.findall(r"(?m)^  (\w+)  +\S", card)) == lines
    limits = {f"{100 * share:.0f} %" for share in (cautions.MOST_MISSED, cautions.MOST_INVALID, cautions.LEAST_CONSISTENT)}
    assert limits | {str(cautions.STRONG)} <= set(re.findall(r"\d+ %|0\.\d+", section(page, 1)))


@both_languages
def test_the_ranking_on_the_reading_page_looks_as_one_does_today(suffix: str) -> None:
    [printed] = blocks(section(ROOT / f"docs/reading{suffix}", 2), "text")
    heads = [re.split("  +", line.strip()) for line in printed.splitlines()]
    for part, _ in ranking.PARTS:
        assert ["interval" if column == "controlled interval" else column for column in part] in heads


# ── models, prompts, safety ──────────────────────────────────────────────────────────────────────────────────────────


@both_languages
def test_the_models_page_agrees_with_presets_and_catalog(suffix: str) -> None:
    page = ROOT / f"docs/models{suffix}"
    services = {ticked(row[0])[0][:-1]: (ticked(row[1]), ticked(row[2])) for row in rows(section(page, 1))}
    for name, preset in PRESETS.items():
        assert services[name] == ([preset.address], [preset.key] if preset.key else [])
    catalog = [[*ticked(row[0]), *row[1:5]] for row in rows(section(page, 6))]
    assert catalog == [
        [model.name, f"{model.bytes / 1e6:,.0f} MB", model.licence, ", ".join(model.languages), model.form] for model in CATALOG
    ]


@both_languages
def test_the_prompts_page_names_every_fault_and_ending(suffix: str) -> None:
    page = ROOT / f"docs/prompts{suffix}"
    assert [ticked(row[0])[0] for row in rows(section(page, 5))] == [str(fault) for fault in Fault]
    assert {ticked(row[0])[0] for row in rows(section(page, 4))} == set(Ending) - {Ending.CLIENT_LEFT}
    assert " ".join(PAPER_ENDINGS) in section(page, 4)


@both_languages
def test_the_safety_page_names_every_kind_of_risk(suffix: str) -> None:
    assert set(Risk) <= set(ticked(section(ROOT / f"docs/safety{suffix}", 3)))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_one_bundled_profile_in_each_language_speaks_of_a_wish_to_die(language: Language) -> None:
    assert [kinds for profile in bundled_profiles(language) if (kinds := find_risks(profile.text))] == [(Risk.SUICIDE,)]


@both_languages
def test_the_counts_of_flagged_profiles_are_those_of_the_detector(suffix: str) -> None:
    profiles = ROOT.parent / "shared/data/profiles/interactive-agents-train.json"
    if not profiles.exists():
        pytest.skip("the origin's profiles are not here")
    found = [set(find_risks(profile.text)) for profile in read_profiles(profiles)]
    counts = [len(found), sum(map(bool, found)), sum(bool(kinds & {Risk.SUICIDE, Risk.SELF_HARM}) for kinds in found)]
    told = re.findall(r"\d[\d,]{2,}", rows(section(ROOT / f"docs/safety{suffix}", 3))[0][1])
    assert {int(number.replace(",", "")) for number in told} == set(counts)


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("suffix", "languages"), [("json", "zh en"), ("jsonl", "zh en"), ("csv", "zh en")])
def test_the_example_profiles_can_be_read(suffix: str, languages: str, tmp_path: Path) -> None:
    [example] = blocks(section(ROOT / "docs/data.md", 1), suffix)
    file = tmp_path / f"profiles.{suffix}"
    file.write_text(example, "utf-8")
    assert [profile.language for profile in read_profiles(file)] == languages.split()


def test_the_sample_rows_have_the_shape_of_an_export() -> None:
    page = ROOT / "docs/data.md"
    [dialogue] = (json.loads(block) for block in blocks(section(page, 2), "json"))
    assert [message["role"] for message in dialogue["messages"]] == ["system", "user", "assistant"]
    header, row = csv.reader(blocks(section(page, 2), "csv")[0].splitlines())
    assert (tuple(header), len(row)) == (COLUMNS, len(COLUMNS))
    line = next(text for text in section(page, 2).split("\n\n") if text.startswith("A line of `jsonl` has"))
    assert set(ticked(line)) == {"jsonl", "system", *(field.name for field in fields(Session))}


def test_the_queries_run_and_the_tables_are_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = section(ROOT / "docs/data.md", 4)
    assert set(METADATA.tables) <= set(ticked(store))
    profiles, client, counselor = [Profile.of("我最近睡不好。")], "script:always 我睡不好。", "script:always 有多久了？"
    practicum.simulate(profiles, client=client, counselor=counselor, max_exchanges=3, run="pilot")
    with closing(sqlite3.connect("practicum.db")) as connection:
        refused, spoken = (connection.execute(query).fetchall() for query in blocks(store, "sql"))
    # What was said before is asked for three times more, and then taken: two turns of the counselor's, one of the client's.
    assert refused == [("counselor", "repeat", 6), ("client", "repeat", 3)]
    assert spoken == [("client", 3, 4.0, 0), ("counselor", 3, 5.0, 0)]
