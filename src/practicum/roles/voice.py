"""A model on a chair: what it is shown, how it is asked again, what it finally says."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from practicum.backends import ChatBackend, Reply, Request
from practicum.core import (
    Form,
    Message,
    Participant,
    Record,
    SessionView,
    Speaker,
    Utterance,
    as_seen_by,
    as_transcript,
    derive_seed,
)
from practicum.measures import CheckRules, Fault, check_reply, normal_form, repair

ASK_AGAIN = 3
"""How often a reply that fails its check is asked for anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """What all sessions of a run share on one side of the table."""

    speaker: Speaker
    participant: Participant
    backend: ChatBackend
    rules: CheckRules
    ask_again: int = ASK_AGAIN
    purpose: str = ""
    """What this chair's seeds are derived for; set it to role and participant's digest."""

    @classmethod
    def of(cls, speaker: Speaker, participant: Participant, backend: ChatBackend, rules: CheckRules, ask_again: int = ASK_AGAIN) -> Chair:
        """Make a chair whose seeds follow from the participant's identity."""
        return cls(
            speaker=speaker,
            participant=participant,
            backend=backend,
            rules=rules,
            ask_again=ask_again,
            purpose=f"{participant.role}:{participant.digest}",
        )


class _Said:
    """The normal forms of one's own earlier turns, kept as hashes: eight bytes a turn, whatever its length."""

    __slots__ = ("_hashes", "_known")

    def __init__(self) -> None:
        self._hashes = array("q")
        self._known = 0

    def __contains__(self, form: object) -> bool:
        return hash(form) in self._hashes

    def catch_up(self, session: SessionView, speaker: Speaker) -> None:
        """Take in one's own turns that have come since."""
        turns = session.turns
        for index in range(self._known, len(turns)):
            if turns[index].speaker is speaker:
                self._hashes.append(hash(normal_form(turns[index].text)))
        self._known = len(turns)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One reply and what is wrong with it, as it came and after mending."""

    reply: Reply
    faults: tuple[Fault, ...]
    mended: str
    left: tuple[Fault, ...]


class ModelVoice:
    """One side of one session, spoken by a model."""

    __slots__ = ("_chair", "_labels", "_opening", "_said", "_system", "_thread")

    def __init__(
        self,
        chair: Chair,
        *,
        key: str,
        system: str,
        labels: Mapping[Speaker, str],
        opening: str | None = None,
        seat: str = "",
        pinned: bool = True,
    ) -> None:
        """Seat a model.

        Args:
            chair: What it shares with the other sessions of the run.
            key: The session's key.
            system: The rendered system prompt, in the chair's form.
            labels: What stands before each side's words in a transcript.
            opening: Said as the session's first turn without asking the model.
            seat: Tells apart those who share a chair of the session; names its threads to a backend.
            pinned: False: every reply is a question by itself, and nothing is kept for the next.
        """
        self._chair = chair
        self._thread = f"{key}/{seat or chair.speaker}" if pinned else ""
        self._system = system
        self._labels = labels
        self._opening = opening
        self._said = _Said()

    async def speak(self, session: SessionView) -> Utterance:
        """Say the next thing; a reply that fails its check is asked for anew, then mended or marked.

        Raises:
            BackendError: The model gave no answer.
            EndpointError: Its server is gone.
        """
        index = session.next_index
        if index == 0 and self._opening is not None:
            return Utterance(text=self._opening)
        self._said.catch_up(session, self._chair.speaker)
        request = self._request(session)
        heard: list[_Heard] = []
        for attempt in range(self._chair.ask_again + 1):
            if attempt:
                request = replace(request, seed=self._seed(session, attempt))
            reply = await self._chair.backend.reply(request)
            faults = self._faults(reply.text, session)
            if not faults and not heard:
                call = reply.call
                return Utterance(text=reply.text, call=call, prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)
            mended = repair(reply.text, self._chair.speaker) if faults else reply.text
            heard.append(_Heard(reply, faults, mended, self._faults(mended, session) if faults else ()))
            if not faults:
                break
        return _settle(heard)

    def release(self) -> None:
        """Let the backend forget this side of the session."""
        if self._thread:
            self._chair.backend.release(self._thread)

    def _faults(self, text: str, session: SessionView) -> tuple[Fault, ...]:
        return check_reply(
            text,
            speaker=self._chair.speaker,
            language=session.language,
            exchange=session.next_index // 2 + 1,
            said=self._said,
            rules=self._chair.rules,
        )

    def _seed(self, session: SessionView, attempt: int) -> int:
        return derive_seed(session.run_seed, session.key, session.next_index, self._chair.purpose, attempt)

    def _request(self, session: SessionView) -> Request:
        participant = self._chair.participant
        chat = participant.form is Form.CHAT
        speaker = self._chair.speaker
        return Request(
            thread=self._thread,
            form=participant.form,
            messages=self._messages(session),
            sampling=participant.sampling,
            seed=self._seed(session, 0),
            # Without the blank that may follow a label: tokenizers join it to the first word of the reply.
            cue="" if chat else self._labels[speaker].rstrip(),
            stop=() if chat else ("\n", *(label.rstrip() for label in self._labels.values())),
            template=participant.template or "plain",
            route=session.key,
            language=session.language,
        )

    def _messages(self, session: SessionView) -> Sequence[Message]:
        if self._chair.participant.form is Form.CHAT:
            return as_seen_by(self._chair.speaker, session.turns, self._system)
        return as_transcript(session.turns, self._system, self._labels)


def _settle(heard: Sequence[_Heard]) -> Utterance:
    """Choose among replies that did not all pass: a clean one, else the one with fewest faults left after mending."""
    chosen = min(heard, key=lambda one: (len(one.left), not one.mended, len(one.faults)))
    state = {}
    if chosen.faults:
        check: dict[str, list[str]] = {"faults": [str(fault) for fault in chosen.faults]}
        if chosen.mended and chosen.mended != chosen.reply.text:
            check["left"] = [str(fault) for fault in chosen.left]
            check["as_said"] = [chosen.reply.text]
        state = {"check": check}
    return Utterance(
        text=(chosen.mended if chosen.faults else chosen.reply.text) or chosen.reply.text,
        call=chosen.reply.call,
        state=state,
        records=tuple(_refused(one) for one in heard if one is not chosen),
        prompt_tokens=sum(one.reply.call.prompt_tokens for one in heard),
        completion_tokens=sum(one.reply.call.completion_tokens for one in heard),
    )


def _refused(one: _Heard) -> Record:
    faults = [str(fault) for fault in one.faults]
    return Record(kind="refused", data={"text": one.reply.text, "faults": faults, "call": asdict(one.reply.call)})
