"""How far publishing got, in words: what is visible now, and whether stopping is safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog import shell
from catalog.words import counted
from zoo.publish import journal
from zoo.publish.journal import Entry
from zoo.release.folder import built_versions
from zoo.runs.places import is_locked
from zoo.views import outline
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table

Step = Literal["built", "uploading", "committing", "verified", "tagged", "tags set", "recorded", "done", "published"]
"""published: the catalog has it, and this machine has no journal of it."""
NOTHING = "Nothing is visible yet; stopping is safe."
WORDS: dict[Step, str] = {
    "built": f"built, not sent. {NOTHING}",
    "uploading": f"files are being sent. {NOTHING} Files that arrived are not sent again.",
    "committing": f"files are committed, no tag is set. {NOTHING} No version shows an incomplete release.",
    "verified": f"files are committed and verified, no tag is set. {NOTHING}",
    "tagged": "a tag is set: that repository is visible, complete and verified. Stopping is safe; the same command "
    "sets the other tag.",
    "tags set": "the release is visible, complete and verified. Only its catalog entry is missing. Stopping is safe; "
    "the same command writes it.",
    "recorded": "the release is visible and in the catalog. Stopping is safe.",
    "done": "published: visible, verified and in the catalog.",
    "published": "published: in the catalog.",
}


@dataclass(frozen=True)
class State:
    """One version. busy: a process publishes it now. parts: what the journal says of each repository."""

    name: str
    version: str
    step: Step
    busy: bool
    parts: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people."""
        now = "being published now" if self.busy else "interrupted" if self._is_open else ""
        return f"{now}: {WORDS[self.step]}" if now else WORDS[self.step]

    @property
    def _is_open(self) -> bool:
        return self.step not in ("built", "done", "published")


def step_of(entries: Sequence[Entry], *, in_catalog: bool) -> Step:
    """How far a publication got. entries: of its journal, oldest first; in_catalog: the catalog has the version."""
    steps = [str(entry["step"]) for entry in entries]
    tags = {entry.get("kind") for entry in entries if entry["step"] == "tagged"}
    if "done" in steps:
        return "done"
    if "recorded" in steps:
        return "recorded"
    if tags:
        return "tags set" if tags == _kinds(entries) else "tagged"
    if in_catalog:
        return "published"
    if "verified" in steps:
        return "verified" if _kinds(entries, "verified") == _kinds(entries) else "committing"
    return "committing" if "committed" in steps else "uploading" if steps else "built"


def _kinds(entries: Sequence[Entry], step: str = "") -> set[object]:
    """Repositories that entries are about."""
    return {entry["kind"] for entry in entries if entry.get("kind") and step in ("", entry["step"])}


def parts_of(entries: Sequence[Entry]) -> tuple[str, ...]:
    """A line for each repository: how many large files arrived, and its commit and tag."""
    found = []
    for kind in dict.fromkeys(str(entry["kind"]) for entry in entries if entry.get("kind")):
        mine = [entry for entry in entries if entry.get("kind") == kind]
        words = [f"{counted(sum(entry['step'] == 'uploaded' for entry in mine), 'large file')} sent"]
        for step in ("committed", "verified", "tagged"):
            oid = next((str(entry["oid"]) for entry in reversed(mine) if entry["step"] == step), None)
            words.append(f"{step} {oid[:12]}" if oid else f"not {step}")
        found.append(f"{kind}: {', '.join(words)}")
    return tuple(found)


def screen(states: Sequence[State]) -> Screen:
    """Every built version; one alone with its repositories."""
    if len(states) == 1:
        (one,) = states
        name = shell.argument(one.name)
        is_out = one.step in ("done", "published")
        command = f"zoo show {name}@{one.version}" if is_out else f"zoo publish {name} --dry-run"
        found = "\n".join(f"  {part}" for part in one.parts)
        return Screen(f"Publication of {one.name} {one.version}", (one.words, *filter(None, (found,))), (command,))
    rows = [Row((one.name, one.version, one.words), ("publication", f"{one.name}@{one.version}")) for one in states]
    table = Table(("model", "version", "state"), rows, empty="Nothing is built on this machine yet.")
    return Screen("Publications", (table,), ("zoo publish NAME --dry-run",) if rows else ("zoo build NAME",))


def stamp(asked: Asked) -> object:
    """Changes when a publication begins, gets further, or is gone."""
    paths = sorted(asked.settings.releases.glob("[a-z0-9]*/*.journal.*"))
    return tuple((path, path.stat().st_size, path.suffix == ".lock" and is_locked(path)) for path in paths)


def look(asked: Asked) -> Screen:
    """Every version that is built here, or those of NAME or NAME@VERSION. Raises InputError for a broken catalog."""
    settings = asked.settings
    name, _, version = asked.name.partition("@")
    names = [name] if name else sorted(path.name for path in settings.releases.glob("[a-z0-9]*/"))
    catalog = outline.models(settings, names)
    found = []
    for one in names:
        for built in built_versions(settings.releases, one):
            if version in ("", built):
                is_in = catalog.release(one, built) is not None
                found.append(_state(settings.releases / one, one, built, in_catalog=is_in))
    return screen(found)


def _state(folder: Path, name: str, version: str, *, in_catalog: bool) -> State:
    entries = journal.newest(folder / f"{version}.journal.jsonl")
    busy = is_locked(folder / f"{version}.journal.lock")
    return State(name, version, step_of(entries, in_catalog=in_catalog), busy, parts_of(entries))
