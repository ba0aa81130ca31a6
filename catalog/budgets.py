"""Byte budgets of a recipe: their names, their size in bytes, and what is wrong with an invalid one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from catalog import device, memory
from catalog.problems import show
from catalog.recipe import Budget
from catalog.release import Cache

UNITS = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
SPELLING = "Write whole bytes, or a number with a unit such as 92MB (10^6 bytes) or 88MiB (2^20 bytes)"


def parse_bytes(value: object) -> int | None:
    """Bytes of ``92MB``, ``88.5 MiB`` or a whole number; None for anything else. Fractions of a byte are cut off."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value) if value > 0 else None
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or found[2] not in UNITS:
        return None
    return int(Decimal(found[1]) * UNITS[found[2]]) or None


def label(name: str | None, size: object, device_id: str | None) -> str:
    """The type label of a budget's file: its name, else ``B92MB`` by its bytes, else ``FIT-pi-zero-2``."""
    if name:
        return name
    if device_id:
        return f"FIT-{device_id}"
    count = parse_bytes(size) or 0
    return f"B{count / 10**6:.6f}".rstrip("0").rstrip(".") + "MB"


def label_of(budget: Budget) -> str:
    """``label`` of a budget of a valid recipe."""
    return label(budget.name, budget.bytes, budget.fits.device if budget.fits else None)


def limit(budget: Budget) -> dict[str, int | str]:
    """What a search needs to know, and no more: ``bytes``, or the device's free bytes and the context.

    The device has been checked.
    """
    if budget.fits is None:
        return {"bytes": parse_bytes(budget.bytes) or 0}
    found = device.find(budget.fits.device)
    assert found
    return {
        "device": found.id,
        "free_bytes": found.free_bytes,
        "context_tokens": budget.fits.context_tokens,
    }


def file_bytes(limit: Mapping[str, int | str], cache: Cache, vocabulary_size: int) -> int:
    """The most bytes that the file may have: the budget, or the device's memory minus cache and buffer."""
    if "bytes" in limit:
        return int(limit["bytes"])
    tokens = int(limit["context_tokens"])
    beside = memory.need_bytes(0, cache, vocabulary_size, tokens)
    return int(limit["free_bytes"]) - beside


def problems(entry: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """(key, what, instead) for everything wrong with one entry; "" is the entry itself."""
    size, fits = entry.get("bytes"), entry.get("fits")
    if (size is None) == (fits is None):
        yield "", "a budget needs one limit", "Write either `bytes:` or `fits:`"
    if size is not None and parse_bytes(size) is None:
        yield "bytes", f"{show(size)} is not a valid size", SPELLING
    wanted = fits.get("device") if isinstance(fits, dict) else None
    if isinstance(wanted, str) and not device.find(wanted):
        near = device.nearest(wanted)
        known = ", ".join(each.id for each in device.DEVICES)
        instead = f"Did you mean `{near}`?" if near else f"Known devices: {known}"
        yield "fits.device", f"device {show(wanted)} was not found", instead
