"""Builds `fakellm.c` and holds it as a child process: the model server of the benchmarks and of the tests."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SOURCE = Path(__file__).with_name("fakellm.c")
BUILT = Path(__file__).with_name(".build")


class NoCompilerError(RuntimeError):
    """There is no C compiler to build the fake server with."""


def build_server() -> Path:
    """Return the compiled server, built once for each state of its source.

    Raises:
        NoCompilerError: No `cc` on the path.
        subprocess.CalledProcessError: It does not compile.
    """
    binary = BUILT / f"fakellm-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}"
    if binary.exists():
        return binary
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("the fake model server is built with `cc`, which is not on the path; on Debian: apt-get install gcc")
    BUILT.mkdir(exist_ok=True)
    fresh = binary.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, "-O2", "-o", fresh, SOURCE, "-lm"], check=True)
    fresh.replace(binary)  # two test runs may build at once
    return binary


@dataclass(slots=True)
class FakeServer:
    """One running server on a free loopback port; a context manager that always stops it.

    Options and counters are those of `fakellm.c` (its head explains them), with underscores for hyphens.
    """

    process: subprocess.Popen[str]
    port: int
    _down_until: float = 0.0

    @classmethod
    def start(cls, **options: float | str) -> Self:
        """Build it if need be, start it, and return once it listens."""
        arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        # Its own session: Ctrl-C reaches the benchmark, which stops it; with-parent: a killed benchmark takes it along.
        command: list[str | Path] = [build_server(), "--port", "0", "--with-parent", "1", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout is not None
        word, _, port = process.stdout.readline().partition(" ")
        if word != "listening":
            process.wait()
            raise RuntimeError(f"the fake server did not start: exit status {process.returncode}")
        return cls(process, int(port))

    @property
    def url(self) -> str:
        """The base address, as a client is given it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def set(self, **options: float | str) -> None:
        """Change options while it runs; `down=SECONDS` refuses everybody for that long."""
        self._get("/set?" + "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items()))
        self._down_until = max(self._down_until, time.monotonic() + float(options.get("down", 0)))

    def stats(self) -> Mapping[str, float]:
        """Return the counters since the last reset. Waits while the server is down."""
        counters: Mapping[str, float] = json.loads(self._get("/stats"))
        return counters

    def reset(self) -> None:
        """Set the counters to zero and forget the bodies seen."""
        self._get("/reset")

    def stop(self) -> None:
        """End the process. Safe to repeat."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _get(self, path: str) -> bytes:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
            except ConnectionError:
                if time.monotonic() > self._down_until + 1:
                    raise
                time.sleep(0.01)
            else:
                if answer.status != http.HTTPStatus.OK:
                    raise ValueError(f"{path}: {body.decode()}")
                return body
            finally:
                connection.close()
