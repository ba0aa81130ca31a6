"""Speeds that other people measured and published, as data. Every row links to its source."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped

FILE = Path(__file__).parent / "data" / "speeds.json"


class PublicSpeed(TypedDict):
    """One measurement. profile: the device profile that predicts it; size_basis: where the size is from."""

    profile: str
    device: str
    model: str
    type: str
    size_bytes: int
    size_basis: str
    decode_tokens_per_second: float
    backend: str
    build: str | None
    date: str | None
    url: str


class _File(TypedDict):
    schema: str
    terms: str
    rows: list[PublicSpeed]


@functools.cache
def published() -> tuple[PublicSpeed, ...]:
    """Every row."""
    return tuple(shaped(jsontext.read(FILE), _File)["rows"])
