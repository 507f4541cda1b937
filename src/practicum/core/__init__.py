"""What a session is: pure data and pure functions, no input or output, nothing to await."""

from practicum.core.choice import Ballot, Candidate, Choice, Outcome, Verdict
from practicum.core.keys import derive_seed, digest_of, fixed_draw, text_digest
from practicum.core.participant import Form, Participant, PromptRef, Sampling, Speaker
from practicum.core.profile import LANGUAGES, Language, Profile, Source, Split, guess_language
from practicum.core.session import Ending, EndingPolicy, Session, SessionView, session_key
from practicum.core.turn import Call, Record, Turn, Utterance
from practicum.core.view import Message, as_seen_by, as_transcript

__all__ = [
    "LANGUAGES",
    "Ballot",
    "Call",
    "Candidate",
    "Choice",
    "Ending",
    "EndingPolicy",
    "Form",
    "Language",
    "Message",
    "Outcome",
    "Participant",
    "Profile",
    "PromptRef",
    "Record",
    "Sampling",
    "Session",
    "SessionView",
    "Source",
    "Speaker",
    "Split",
    "Turn",
    "Utterance",
    "Verdict",
    "as_seen_by",
    "as_transcript",
    "derive_seed",
    "digest_of",
    "fixed_draw",
    "guess_language",
    "session_key",
    "text_digest",
]
