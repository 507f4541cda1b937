"""The border that profiles cross: one row of a file, validated. Imports pydantic, so it is imported where a row needs it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from practicum.core import Language, Profile, Source, Split, guess_language, text_digest
from practicum.dataset.texts import clean_name, clean_story, clip

MAX_SHOWN = 3
"""Mistakes of one row that its line names."""

Name = Annotated[str, AfterValidator(clean_name)]
Story = Annotated[str, AfterValidator(clean_story)]


class SourceRow(BaseModel):
    """Where a profile comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str = ""
    """Corpus, file or author."""
    licence: str = ""
    """SPDX identifier or free text."""


def _as_source(value: object) -> object:
    return {"origin": value} if isinstance(value, str) else value


class ProfileRow(BaseModel):
    """One profile as a file gives it. Null is the same as absent, except for `text`."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    id: Name | None = None
    """Unique in the file; the digest of the text if absent. A number is taken as its digits."""
    text: Annotated[Story, StringConstraints(strict=True)]
    """The client's own story; a number is refused."""
    language: Language | None = None
    """Guessed from the text if absent."""
    facts: dict[Name, Story] | None = None
    """Names to texts or numbers, e.g. `{"age": 34}`."""
    source: Annotated[SourceRow | None, BeforeValidator(_as_source)] = None
    """An object, or a text: its origin."""
    split: Split | None = None

    def profile(self, language: Language | None, split: Split | None) -> Profile:
        """Return the profile; see `read_profiles` for what `language` and `split` do."""
        source = self.source or SourceRow()
        return Profile(
            id=self.id or text_digest(self.text),
            text=self.text,
            language=language or self.language or guess_language(self.text),
            facts=self.facts or {},
            source=Source(origin=source.origin, licence=source.licence),
            split=self.split or split,
        )


def parse_row(value: dict[str, Any]) -> ProfileRow:
    """Validate one row.

    Raises:
        ValueError: Something in it is wrong; the message is one line that names up to three mistakes.
    """
    try:
        return ProfileRow.model_validate(value)
    except ValidationError as error:
        mistakes = [_describe(detail) for detail in error.errors(include_url=False)]
    more = [f"and {len(mistakes) - MAX_SHOWN} more"] if len(mistakes) > MAX_SHOWN else []
    hint = f" (known keys: {', '.join(ProfileRow.model_fields)})" if any(key not in ProfileRow.model_fields for key in value) else ""
    raise ValueError("; ".join([*mistakes[:MAX_SHOWN], *more]) + hint)


def _describe(error: ErrorDetails) -> str:
    path = [str(part) for part in error["loc"] if part != "[key]"]
    field = ".".join(part if part.isprintable() else repr(part) for part in path)
    if len(field) > 60:
        field = f"{field[:59]}…"
    value = error["input"]
    match error["type"]:
        case "missing":
            return f"{field} is missing"
        case "extra_forbidden":
            return f"unknown key {field!r}"
        case "literal_error":
            return f"{field} {clip(value)} is not one of {_options(error['ctx']['expected'])}"
        case "value_error":
            return f"{field} {error['ctx']['error']}"
        case "string_type":
            return f"{field} must be text, not {clip(value)}"
        case _:
            return f"{field} must be an object, not {clip(value)}"


def _options(expected: str) -> str:
    """Turn pydantic's `'train', 'dev' or 'test'` into `train, dev, test`."""
    return expected.replace(" or ", ", ").replace("'", "")
