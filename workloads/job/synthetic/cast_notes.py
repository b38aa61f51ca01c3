"""Notes about parts: voices in animated movies, which work a producer or writer did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from workloads.job.synthetic.dimensions import ROLES
from workloads.job.synthetic.draws import choice_tables

Weights: TypeAlias = Mapping[str | None, float]

_PLAYER_NOTES: Weights = {
    None: 72,
    "(uncredited)": 14,
    "(archive footage)": 4,
    "(voice)": 1.5,
    "(credit only)": 1.5,
    "(as Bobby)": 1,
    "(as The Stranger)": 1,
    "(singing voice)": 0.5,
    "(voice) (uncredited)": 0.3,
    "(also as producer) (producer)": 0.2,
}
_VOICE_NOTES: Weights = {
    "(voice)": 60,
    None: 20,
    "(voice: English version)": 8,
    "(voice: Japanese version)": 5,
    "(voice) (uncredited)": 4,
    "(singing voice)": 3,
}
_CREW_NOTES: Mapping[str, Weights] = {
    "producer": {
        "(producer)": 40,
        "(executive producer)": 24,
        "(co-producer)": 10,
        "(associate producer)": 11,
        "(line producer)": 5,
        None: 10,
    },
    "writer": {
        "(writer)": 26,
        "(written by)": 21,
        "(screenplay)": 14,
        "(story)": 8,
        "(novel)": 5,
        "(story editor)": 4,
        "(head writer)": 3,
        None: 19,
    },
    "miscellaneous crew": {
        "(script supervisor)": 25,
        "(production assistant)": 35,
        "(production coordinator)": 20,
        None: 20,
    },
}
_OTHER_NOTES: Weights = {None: 90, "(uncredited)": 6, "(as Anon)": 4}

NOTES = tuple(
    dict.fromkeys(
        note
        for notes in (_PLAYER_NOTES, _VOICE_NOTES, _OTHER_NOTES, *_CREW_NOTES.values())
        for note in notes
        if note is not None
    )
)


def _note_rows(players: Weights) -> list[list[float]]:
    """The weights of "no note" and of all notes, for each role."""
    rows = []
    for role in ROLES:
        notes = players if role in ("actor", "actress") else _CREW_NOTES.get(role, _OTHER_NOTES)
        rows.append([notes.get(note, 0) for note in (None, *NOTES)])
    return rows


NOTE_TABLE = choice_tables([*_note_rows(_PLAYER_NOTES), *_note_rows(_VOICE_NOTES)])
"""By role, then by role in an animated movie; 0 is none, others count from 1."""
