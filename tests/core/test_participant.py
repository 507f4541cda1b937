"""Participants: an identity is what determines the words, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from practicum.core import Form, Participant, PromptRef, Sampling, Speaker

COUNSELOR = Participant(
    role="counselor",
    model="openai:m",
    form=Form.CHAT,
    prompts=(PromptRef(id="counselor.integrative.zh.chat", digest="0" * 16),),
    sampling=Sampling(),
)


def test_each_chair_faces_the_other() -> None:
    assert Speaker.CLIENT.other is Speaker.COUNSELOR
    assert Speaker.COUNSELOR.other is Speaker.CLIENT


def test_sampling_defaults_are_those_of_the_paper() -> None:
    assert Sampling() == Sampling(temperature=1.0, top_p=1.0, max_tokens=500)


def test_equal_participants_have_one_digest() -> None:
    assert replace(COUNSELOR).digest == COUNSELOR.digest


@pytest.mark.parametrize(
    "other",
    [
        replace(COUNSELOR, role="client"),
        replace(COUNSELOR, model="openai:n"),
        replace(COUNSELOR, form=Form.TRANSCRIPT),
        replace(COUNSELOR, prompts=()),
        replace(COUNSELOR, prompts=(PromptRef(id="counselor.integrative.zh.chat", digest="1" * 16),)),
        replace(COUNSELOR, sampling=Sampling(temperature=0.7)),
        replace(COUNSELOR, sampling=Sampling(max_tokens=100)),
        replace(COUNSELOR, template="chatml"),
    ],
)
def test_whatever_determines_the_words_changes_the_digest(other: Participant) -> None:
    assert other.digest != COUNSELOR.digest
