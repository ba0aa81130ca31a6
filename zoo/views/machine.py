"""Disk and memory: what is free, and what can be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.words import data_size
from zoo.machine import resources
from zoo.plan import clean
from zoo.plan.clean import Found
from zoo.release import kept
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table

LOW_BYTES = 2_000_000_000
"""Of disk: less is marked as low."""


@dataclass(frozen=True)
class Facts:
    """Bytes of memory and of the disk with the work folder. cores: in words."""

    cores: str
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    work: str


def screen(facts: Facts, found: Sequence[Found]) -> Screen:
    """What this machine has, and the caches of the work folder with their sizes."""
    low = ", which is LOW" if facts.free_disk_bytes < LOW_BYTES else ""
    words = [
        f"cores: {facts.cores}",
        f"memory: {data_size(facts.free_memory_bytes)} free of {data_size(facts.memory_bytes)}",
        f"disk with {facts.work}: {data_size(facts.free_disk_bytes)} free{low}",
    ]
    rows = [Row((one.kind, f"{one.files:,}", data_size(one.size_bytes), clean.KINDS[one.kind])) for one in found]
    table = Table(("can be deleted", "#files", "#size", "what it is"), rows)
    commands = tuple(f"zoo clean {one.kind}" for one in found if one.size_bytes and one.kind != "published")
    return Screen("Disk and memory", ("\n".join(words), table), commands or ("zoo doctor",))


def look(asked: Asked) -> Screen:
    """This machine now."""
    settings = asked.settings
    total, free = resources.memory_bytes()
    disk = resources.free_bytes(settings.work)
    facts = Facts(resources.processors().words, total, free, disk, settings.shown(settings.work))
    return screen(facts, clean.look(settings.work, tuple(kept.kept(settings.releases))))
