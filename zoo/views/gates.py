"""The gates of a built release, and by how much each was passed or missed."""

from __future__ import annotations

from catalog.metrics import METRICS
from catalog.problems import instead_of
from catalog.words import counted
from zoo.errors import InputError
from zoo.judge.gates import Verdict
from zoo.release import ReleaseFolder, load
from zoo.release.folder import built_versions
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table


def screen(built: ReleaseFolder) -> Screen:
    """Missed gates first, then the closest ones."""
    verdicts = sorted(built.verdicts, key=lambda one: (one.kept, _closeness(one)))
    rows = [Row((_name(one), _bound(one), _judged(one), _margin(one), _result(one))) for one in verdicts]
    missed = sum(not one.kept for one in verdicts)
    name, version = built.model.name, built.release.version
    state = f"{missed} MISSED: it cannot be published." if missed else "all passed."
    words = f"{counted(len(rows), 'verdict')}: {state}" if rows else "The recipe has no gates."
    table = Table(("gate", "limit", "#judged", "margin", "result"), rows, empty="none in the recipe")
    commands = (f"zoo show {name}@{version}", *(() if missed else (f"zoo publish {name} --dry-run",)))
    return Screen(f"Gates of {name} {version}", (words, table), commands)


def _name(one: Verdict) -> str:
    return f"{one.metric} of {one.file}" if one.file else one.metric


def _at_most(one: Verdict) -> bool:
    """Whether the bound is the largest allowed value. A verdict does not record that, but which side passed."""
    if one.judged is None or one.judged == one.bound:
        metric = METRICS.get(one.metric)
        return metric is not None and metric.better == "lower"
    return (one.judged < one.bound) == one.kept


def _bound(one: Verdict) -> str:
    return f"at {'most' if _at_most(one) else 'least'} {one.bound:.6g}"


def _judged(one: Verdict) -> str:
    return "not measured" if one.judged is None else f"{one.judged:.6g}"


def _room(one: Verdict) -> float | None:
    """How far the judged value is on the good side of the bound, in the metric's unit."""
    if one.judged is None:
        return None
    return one.bound - one.judged if _at_most(one) else one.judged - one.bound


def _closeness(one: Verdict) -> float:
    room = _room(one)
    return float("-inf") if room is None else room / (abs(one.bound) or 1.0)


def _margin(one: Verdict) -> str:
    room = _room(one)
    if room is None:
        return ""
    metric = METRICS.get(one.metric)
    unit = f" {metric.unit}" if metric and metric.unit else ""
    share = f" ({room / abs(one.bound):+.0%})" if one.bound else ""
    return f"{room:+.3g}{unit}{share}"


def _result(one: Verdict) -> str:
    return "passed" if one.kept else "MISSED"


def look(asked: Asked) -> Screen:
    """The gates of NAME or NAME@VERSION, which is built. Raises InputError."""
    name, _, version = asked.name.partition("@")
    releases = asked.settings.releases
    versions = built_versions(releases, name)
    wanted = version or (versions[-1] if versions else "")
    built = load(releases / name / wanted) if wanted in versions else None
    if built is None:
        raise InputError(f"{asked.name!r} is not built on this machine", remedy=_instead(asked, name, versions))
    return screen(built)


def _instead(asked: Asked, name: str, versions: list[str]) -> str:
    """versions: those of the name that are built."""
    if versions:
        return f"Available: {', '.join(versions)}"
    recipes = {path.stem for path in (asked.settings.root / "recipes").glob("*.yaml")}
    if name in recipes:
        return f"Build it with: zoo build {name}"
    releases = asked.settings.releases
    built = [path.name for path in releases.glob("[a-z0-9]*/") if built_versions(releases, path.name)]
    return instead_of(name, sorted(built), "No release is built yet. Build one with: zoo build NAME")
