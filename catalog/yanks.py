"""Yanking as data: the catalog records that a version is withdrawn or available again. Pure; nothing is deleted.

Events are appended to ``Model.yanks`` in the order in which they happened. The date comes from the caller.
"""

from __future__ import annotations

import dataclasses

from catalog import unseen
from catalog.index import Catalog, absent
from catalog.problems import show
from catalog.release import Model, YankEvent

SEVERITIES = ("low", "moderate", "high", "critical")
REASON_CHARACTERS = 500


class YankRefused(ValueError):
    """It cannot be recorded; ``args`` are what is wrong and what to write instead."""


def yank(catalog: Catalog, name: str, event: YankEvent) -> Catalog:
    """The catalog with the event's version yanked. The same text changes nothing; different text adds an event.

    Raises YankRefused.
    """
    version = event.version
    model = find(catalog, name, version)
    _check_reason(event.reason)
    if event.severity not in SEVERITIES:
        raise YankRefused(f"{show(event.severity)} is not a valid severity", f"Write one of: {', '.join(SEVERITIES)}")
    if event.replacement is not None:
        _check_replacement(catalog, f"{name}@{version}", event.replacement)
    now = model.yank_of(version)
    if now and dataclasses.replace(now, date=event.date) == event:
        return catalog
    return _with_event(catalog, model, event)


def unyank(catalog: Catalog, name: str, version: str, *, date: str, reason: str) -> Catalog:
    """The catalog with ``version`` unyanked. Repeating the same text changes nothing. Raises YankRefused."""
    model = find(catalog, name, version)
    _check_reason(reason)
    event = YankEvent(version, date, "unyank", reason, None, None)
    last = next((one for one in reversed(model.yanks) if one.version == version), None)
    if last and dataclasses.replace(last, date=date) == event:
        return catalog
    if model.yank_of(version) is None:
        raise YankRefused(f"{name}@{version} is not yanked", f"See: zoo show {name}")
    return _with_event(catalog, model, event)


def active(model: Model) -> tuple[YankEvent, ...]:
    """The yanks that hold now, newest version first."""
    found = (model.yank_of(release.version) for release in model.releases)
    return tuple(event for event in found if event)


def replacement_now(catalog: Catalog, event: YankEvent) -> str | None:
    """NAME@VERSION to use instead: the event's replacement or, if that was yanked since, its replacement."""
    seen: set[str] = set()
    target = event.replacement
    while target and target not in seen:
        seen.add(target)
        name, _, version = target.partition("@")
        model = catalog.model(name)
        later = model.yank_of(version) if model else None
        if later is None:
            return target
        target = later.replacement
    return None


def standing(catalog: Catalog, name: str, version: str) -> YankEvent | None:
    """The yank that holds for a version now, with the replacement to use now; None if there is none."""
    model = catalog.model(name)
    event = model.yank_of(version) if model else None
    return dataclasses.replace(event, replacement=replacement_now(catalog, event)) if event else None


def sentence(event: YankEvent) -> str:
    """What people must know about a yanked version: when, how bad, why, and what to use instead."""
    stop = "" if event.reason.endswith((".", "!", "?")) else "."
    instead = f" Use {event.replacement} instead." if event.replacement else ""
    return f"WITHDRAWN on {event.date} (severity: {event.severity}): {event.reason}{stop}{instead}"


def pointing_at(catalog: Catalog, target: str) -> tuple[str, ...]:
    """NAME@VERSION of every yank that holds and names ``target`` as its replacement."""
    return tuple(
        f"{model.name}@{event.version}"
        for model in catalog.models
        for event in active(model)
        if event.replacement == target
    )


def find(catalog: Catalog, name: str, version: str) -> Model:
    """The model that has this version. Raises YankRefused with the nearest name, or the existing versions."""
    model = catalog.model(name)
    if model is None:
        raise YankRefused(*absent(catalog.names, name))
    if not any(release.version == version for release in model.releases):
        versions = ", ".join(release.version for release in model.releases)
        raise YankRefused(f"the catalog has no version {show(version)} of {name}", f"Available: {versions}")
    return model


def _check_reason(reason: str) -> None:
    if unseen.blank(reason):
        raise YankRefused("the reason is empty", "Say in a sentence what is wrong with the version")
    if len(reason) > REASON_CHARACTERS:
        instead = f"Write at most {REASON_CHARACTERS} characters"
        raise YankRefused(f"the reason has {len(reason)} characters", instead)
    if unseen.visible(reason) != reason:
        raise YankRefused(
            f"the reason {show(reason)} has invisible characters",
            "Write it on one line, as plain text",
        )


def _check_replacement(catalog: Catalog, yanked: str, replacement: str) -> None:
    name, at, version = replacement.partition("@")
    if not at or not name or not version:
        raise YankRefused(f"the replacement {show(replacement)} does not name a version", "Write NAME@VERSION")
    if replacement == yanked:
        raise YankRefused("a version cannot replace itself", "Name another version, or leave it out")
    try:
        model = find(catalog, name, version)
    except YankRefused as refused:
        raise YankRefused(f"the replacement does not exist: {refused.args[0]}", refused.args[1]) from None
    if model.yank_of(version):
        others = [one.version for one in model.in_use()]
        instead = f"Not yanked: {', '.join(others)}" if others else "Leave it out"
        raise YankRefused(f"the replacement {replacement} is yanked itself", instead)


def _with_event(catalog: Catalog, model: Model, event: YankEvent) -> Catalog:
    changed = dataclasses.replace(model, yanks=(*model.yanks, event))
    return Catalog(tuple(changed if one.name == model.name else one for one in catalog.models))
