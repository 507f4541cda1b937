"""The person's side of a chat: a terminal with line editing, or a pipe with a line a turn."""

from __future__ import annotations

import asyncio
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from practicum.cli.chat_texts import COMMANDS, EVENTS, TEXTS
from practicum.cli.console import colored, tell
from practicum.cli.transcript import COLORS
from practicum.core import Language, SessionView, Speaker, Turn
from practicum.roles import Aside, Wish, labels

if TYPE_CHECKING:
    from practicum.build.chat import Event

ERASE = "\r\x1b[K"
"""Clears the line that the cursor is in."""
SHOWN_TURNS = 6
"""Of a session that is gone on with."""
_WISHES: Mapping[str, Wish] = {"undo": Wish.UNDO, "retry": Wish.RETRY, "save": Wish.SAVE, "quit": Wish.LEAVE, "exit": Wish.LEAVE}


class ChatTerminal:
    """A `Listener` at standard input and output: what is said goes to standard output, what is not to standard error."""

    def __init__(self, me: Speaker, language: Language | None, *, crisis: Callable[[Language], str] | None = None) -> None:
        """Sit down.

        Args:
            me: The person's chair.
            language: The session's; None: not known before the first words.
            crisis: Where help can be had, shown before the reply to words of a client's that speak of risk. None: nothing is shown.
        """
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self.patient = self.interactive
        self._me = me
        self.language = language
        """The session's; None: not known yet."""
        self._crisis = crisis if me is Speaker.CLIENT else None
        self._told: set[str] = set()
        """Kinds of risk for which help was shown."""
        self._cut: Callable[[], object] | None = None
        self._asking = False
        self._warned = False
        """Ctrl-C was the last thing that came."""
        self._state = ""
        """"": at the beginning of a line. waiting: for the other's first word. hearing: in the middle of a reply."""
        if self.interactive:
            with suppress(ImportError):  # not on every platform; then the terminal's own line editing is left
                import readline  # noqa: F401 - `input` takes it from here; no history is ever written to a file

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Let Ctrl-C end a reply that is on its way, not the chat."""
        if not self.interactive:
            yield
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._asking or self._cut is None:
            raise KeyboardInterrupt
        self._cut()

    # ── what the chat wants ──────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, language: Language, cut: Callable[[], object]) -> None:
        """Speak the session's language from here on."""
        self.language = language
        self._cut = cut

    async def ask(self, session: SessionView) -> str | Aside:
        """Return the next line that is not blank, or what a command asks for."""
        while True:
            line = self._read()
            # A connection that was closed while the person was typing is noticed before it is used.
            await asyncio.sleep(0)
            if line is None:
                return Aside(Wish.LEAVE)
            if not line.startswith("/"):
                if line:
                    return line
                continue
            name, _, detail = line[1:].partition(" ")
            if name in _WISHES:
                return Aside(_WISHES[name], detail.strip())
            self._answer(name, session)

    def offer(self, turns: Sequence[Turn]) -> bool:
        """Show the end of a session that was cut off, and ask whether to go on with it."""
        if len(turns) > SHOWN_TURNS:
            print("…")
        self._print_turns(turns[-SHOWN_TURNS:])
        if not self.interactive:
            self.remark(self._text("goes_on"))
            return True
        answer = self._line(self._text("go_on") + " ")
        return answer is not None and not answer.lower().startswith(("n", "否", "不"))

    def hear(self, piece: str) -> None:
        """Print a piece of a reply, the label before the first."""
        piece = plain(piece)
        if self._state != "hearing":
            piece = piece.lstrip()
            if not piece:
                return
            self._clear()
            print(self._label(self._me.other), end="")
            self._state = "hearing"
        print(piece, end="", flush=True)

    def said(self, turn: Turn) -> None:
        """Print the other's turn, unless it was heard already; show where help can be had for the person's own, if need be."""
        if turn.speaker is not self._me:
            if self._state == "hearing":
                self._clear()
            else:
                self._clear()
                print(self._label(turn.speaker) + plain(turn.text), flush=True)
            return
        kinds = set(turn.state.get("risk", ())) - self._told
        if kinds and self._crisis is not None:
            self._told |= kinds
            self._show(self._crisis(self.language or "en"))
        self._wait()

    def tell(self, event: Event, detail: str = "") -> None:
        """Print a remark."""
        self._clear()
        self.remark(self._text(event, EVENTS).format(detail=detail) if event != "note" else detail)
        if event == "again":
            self._wait()

    # ── printing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def remark(self, text: str) -> None:
        """Print what is not part of the session."""
        if self.interactive:
            print(colored(text, "bright_black") if text else "", flush=True)
        else:
            tell(text)

    def _show(self, text: str) -> None:
        if self.interactive:
            print("\n" + colored(text, "yellow") + "\n", flush=True)
        else:
            tell(text)

    def _wait(self) -> None:
        """Show that a reply is waited for."""
        if self.interactive:
            print(self._label(self._me.other) + "…", end="", flush=True)
            self._state = "waiting"

    def _clear(self) -> None:
        """Go to the beginning of a line; what was waited for is no longer."""
        if self._state == "waiting":
            print(ERASE, end="", flush=True)
        elif self._state == "hearing":
            print(flush=True)
        self._state = ""

    def _label(self, speaker: Speaker) -> str:
        text = self._text("me") if speaker is self._me else labels(self.language or "en")[speaker]
        return colored(text, COLORS[speaker], bold=True)

    def _print_turns(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            print(self._label(turn.speaker) + plain(turn.text), flush=True)

    def _text(self, name: str, texts: Mapping[Language, Mapping[str, str]] = TEXTS) -> str:
        """Return a text in the session's language; in both where it is not known yet."""
        if self.language is not None:
            return texts[self.language][name]
        return " / ".join(dict.fromkeys(texts[language][name] for language in ("zh", "en")))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> str | None:
        """Return the next line; None at the end: Ctrl-D, or Ctrl-C twice."""
        while True:
            try:
                line = self._line("> " if self.language is None else self._prompt())
            except KeyboardInterrupt:
                print()
                if self._warned:
                    return None
                self._warned = True
                self.remark(self._text("leave"))
            else:
                self._warned = False
                return line

    def _line(self, prompt: str) -> str | None:
        """Read a line; None at the end of the input."""
        self._asking = True
        try:
            line = input(prompt) if self.interactive else sys.stdin.readline()
        except EOFError:
            print()
            return None
        finally:
            self._asking = False
        if not self.interactive and not line:
            return None
        return plain(line.encode(errors="surrogateescape").decode(errors="replace")).strip()

    def _prompt(self) -> str:
        label = self._label(self._me)
        # Readline must know which characters take no room, or a long line is wrapped in the wrong place.
        head, text, tail = label.partition(self._text("me"))
        return f"\x01{head}\x02{text}\x01{tail}\x02" if head else label

    def _answer(self, name: str, session: SessionView) -> None:
        """Follow a command that needs the terminal only."""
        if name == "history":
            self._print_turns(session.turns)
        elif name == "help":
            for command in COMMANDS:
                if command != "save" or self._me is Speaker.CLIENT:
                    self.remark(f"  /{command:<9} {self._text(command)}")
        else:
            self.remark(self._text("unknown").format(name=f"/{name}"))


def plain(text: str) -> str:
    """Return a text without control characters, which would speak to the terminal and not to the reader."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")
