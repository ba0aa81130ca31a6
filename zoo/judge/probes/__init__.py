"""Task probes: small questions with a right answer that can be checked, made by seeded code of this project. Pure.

Each probe is a file with one function ``(items, seed) -> Probe``; the same numbers give the same items on every
machine. ``zoo.llama.measure.probing`` runs them, ``verdict`` checks the answers, ``report`` counts and describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from zoo.judge.probes.item import Probe

MAKERS: Mapping[str, tuple[str, str]] = {
    "json": ("json_schema", "make"),
    "arithmetic": ("arithmetic", "make"),
    "pairs_en": ("pairs_en", "make"),
    "pairs_fr": ("pairs_fr", "make"),
    "copying": ("copying", "make"),
    "stop": ("stop", "make"),
}
"""Name of a probe in recipes, gates and the catalog -> its module and function."""


def make(name: str, items: int, seed: int) -> Probe:
    """The probe ``name`` with ``items`` items. Raises KeyError for an unknown name."""
    module, function = MAKERS[name]
    maker: Callable[[int, int], Probe] = getattr(import_module(f"zoo.judge.probes.{module}"), function)
    return maker(items, seed)
