"""Made-up studies: choices that follow Luce's model, with effects of the session, in the design of Qiu & Lan (2024)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from practicum.arena.luce import fit_strengths
from practicum.arena.table import ChoiceTable, Flags, Floats, Ints

NAMES = ("CPsyCounX", "MeChat", "PsyChat", "SimPsyBot", "SoulChat")
STRENGTHS = (-1.23, -1.52, -1.82, 0.0, -2.37)
"""Logits: about what Luce's model makes of the counts that the paper gives (figure 11)."""
OWN = NAMES.index("SimPsyBot")
_NODES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Who meets whom, how often, and how much sessions differ."""

    profiles: int = 100
    turns: int = 12
    session_sd: float = 0.7
    """Of what each counselor is worth more or less in one session, logits."""

    @property
    def sets(self) -> Ints:
        """(6, 3): the own model with every pair of the four baselines."""
        others = [place for place in range(len(NAMES)) if place != OWN]
        return np.array([sorted((OWN, *pair)) for pair in itertools.combinations(others, 2)], np.int64)

    @property
    def members(self) -> Flags:
        """(6, 5): the same as flags."""
        return flags(self.sets)

    def chances(self) -> Floats:
        """Return (6, 3): how likely each of a set is to win, on the mean over sessions (Gauss and Hermite's rule)."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        effects = self.session_sd * np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 3)
        weight = np.einsum("i,j,k->ijk", weights, weights, weights).ravel()
        powers = np.exp(np.array(STRENGTHS)[self.sets][:, None, :] + effects)
        means: Floats = np.einsum("n,snk->sk", weight / weight.sum(), powers / powers.sum(axis=-1, keepdims=True))
        return means


def draw_study(design: Design, rng: np.random.Generator) -> ChoiceTable:
    """Every profile meets every set once, so many turns long; the session's effects hold for all its turns."""
    sets = design.sets
    sessions = design.profiles * len(sets)
    offered = np.tile(sets, (design.profiles, 1))
    liking = np.array(STRENGTHS)[offered] + rng.normal(0, design.session_sd, offered.shape)
    heard = np.repeat(liking, design.turns, axis=0) + rng.gumbel(size=(sessions * design.turns, 3))
    session = np.repeat(np.arange(sessions), design.turns)
    return ChoiceTable(
        counselors=NAMES,
        offered=np.repeat(offered, design.turns, axis=0),
        shares=(heard == heard.max(axis=1, keepdims=True)).astype(np.float64),
        profile=session // len(sets),
        session=session,
    )


def limit(design: Design) -> Floats:
    """Return (5,): the strengths that Luce's model tends to in ever larger studies: what its intervals are to cover.

    They are nearer to each other than `STRENGTHS`: who differs from session to session is less far ahead on the mean.
    """
    strengths: Floats = fit_strengths(spread(design.chances(), design.sets)[None], design.members)[0]
    return strengths


def spread(values: Floats, sets: Ints) -> Floats:
    """Return (S, K) of (S, m) values of the sets' members; 0 for who is no member."""
    dense = np.zeros((len(sets), len(NAMES)))
    np.put_along_axis(dense, sets, values, axis=1)
    return dense


def flags(sets: Ints | Sequence[Sequence[int]]) -> Flags:
    """Return (S, K): who belongs to each set."""
    found = np.zeros((len(sets), len(NAMES)), np.bool_)
    np.put_along_axis(found, np.array(sets), values=True, axis=1)
    return found
