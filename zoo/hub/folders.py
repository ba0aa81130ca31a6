"""Which folder a recorded folder hub is. The catalog is public, so it says ``folder`` and no path of a machine.

A folder is known by the commits of the release. Two folders may have the same ones, and a folder may lose them, so this
machine also notes where it published or found a release last: a file next to the release folders, never committed. A
mirror is known by its note alone: what is left of a rehearsal has the same commits.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from catalog import jsontext, shell
from catalog.paths import within
from catalog.release import Location
from catalog.shapes import shaped
from zoo import addresses
from zoo.errors import InputError, ZooError
from zoo.files.digests import pretty_json
from zoo.files.locks import locked_folder
from zoo.files.whole import write_atomic
from zoo.hub.folder import FolderHub
from zoo.hub.interface import Hub
from zoo.settings import DEFAULT_HUB, Settings, load

FILE = "folder_hubs.json"
FORMAT = 1
FOLDER = "folder"
"""What the catalog calls a hub that is a folder."""
UNKNOWN = "FOLDER"
"""The place of a folder in a command, where this machine does not know it."""


_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""What the system says of a path that leads nowhere."""
_OUTSIDE = re.compile(r"/|~|\.\.(/|\Z)")
"""The beginning of a path that is not in the zoo."""
_PATH = re.compile(r"(?<![^\s'\"(=])(?:/|~[\w.-]*/|\.\./)[^\s'\"):,;]+")
"""Such a path in a text."""


class _Noted(TypedDict):
    format: int
    folders: dict[str, str]


@dataclass(frozen=True)
class Folders:
    """The folder hubs that this machine knows. Made for one command; the notes are read once."""

    settings: Settings
    _notes: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    _read: list[bool] = field(default_factory=list, compare=False, repr=False)

    def paths(self) -> list[str]:
        """Folders that exist: of the settings, of the settings file if a flag or the catalog named another hub, the
        default one, and those that are noted."""
        of_file = load(self.settings.root, {}, {}).hub
        named = dict.fromkeys((self.settings.hub, of_file, DEFAULT_HUB, *self._noted().values()))
        return [one for one in named if not addresses.is_http(one) and is_there(self._open(one))]

    def noted(self, place: Location) -> FolderHub | None:
        """The folder that this machine noted for a place, whether it still exists or not."""
        text = self._noted().get(_key(place))
        return self._open(text) if text else None

    def holder(self, place: Location, *, mirror: bool) -> FolderHub | None:
        """The folder of a recorded place: the noted one while it exists, also if it lost the commit, else for a
        release's own place one that has it. None if no folder is known.

        A mirror has the commits of its release, and so has what is left of a rehearsal: only a note tells them apart.
        """
        noted = self.noted(place)
        if mirror or (noted and is_there(noted)):
            return noted
        return next((hub for hub in map(self._open, self.paths()) if has(hub, place)), noted)

    def is_elsewhere(self, place: Location, hub: Hub, *, mirror: bool) -> bool:
        """Whether a place that is recorded in a folder is not in the folder ``hub``. If no folder is known that exists,
        the place of a version is taken for one that its folder lost, and a mirror for one in another folder, unless
        this one has its commit. While the folder is known, another one with its commit is a copy."""
        if place.hub != FOLDER or not isinstance(hub, FolderHub):
            return False
        holder = self.holder(place, mirror=mirror)
        if holder and is_same(holder, hub):
            return False
        return bool(holder and is_there(holder)) or (mirror and not has(hub, place))

    def text(self, hub: FolderHub) -> str:
        """A folder as the flag --hub takes it: relative to the zoo if it was named so."""
        root = self.settings.root
        # As it was named, even if that begins with ``..``.
        return hub.folder.relative_to(root).as_posix() if hub.folder.is_relative_to(root) else within(hub.folder, root)

    def is_own(self, hub: FolderHub) -> bool:
        """Whether a folder is the hub of the settings."""
        return not addresses.is_http(self.settings.hub) and is_same(hub, self._open(self.settings.hub))

    def note(self, place: Location, hub: Hub) -> None:
        """Note that a place is in a folder, if it is. A note only saves a flag, so one that cannot be written is left
        out."""
        if place.hub != FOLDER or not isinstance(hub, FolderHub) or not has(hub, place):
            return
        key, text = _key(place), self.text(hub)
        if self._noted().get(key) == text:
            return
        path = path_of(self.settings)
        with contextlib.suppress(OSError, ZooError), locked_folder(path.parent):
            self._notes.update({**_read(path), key: text})
            write_atomic(path, pretty_json({"format": FORMAT, "folders": self._notes}))

    def is_unknown(self, place: Location) -> bool:
        """Whether this machine noted no folder for a place, or one that no longer exists."""
        noted = self.noted(place)
        return noted is None or not is_there(noted)

    def is_noted_in(self, place: Location, hub: FolderHub) -> bool:
        """Whether this machine noted a folder for a place."""
        noted = self.noted(place)
        return noted is not None and is_same(noted, hub)

    def forget(self, place: Location) -> None:
        """Take back the note of a place that moved away: its folder may still have the commits."""
        key, path = _key(place), path_of(self.settings)
        if place.hub != FOLDER or key not in self._noted():
            return
        with contextlib.suppress(OSError, ZooError), locked_folder(path.parent):
            kept = {one: text for one, text in _read(path).items() if one != key}
            write_atomic(path, pretty_json({"format": FORMAT, "folders": kept}))
            del self._notes[key]

    def public(self, text: str) -> str:
        """A text without the paths of this machine, for files that everybody reads: FOLDER for that of a hub."""
        named = {one for one in (self.settings.hub, *self._noted().values()) if one and not addresses.is_http(one)}
        hubs = {each for one in named for each in (one, self.text(self._open(one)), str(self._open(one).folder))}
        hubs = {one for one in hubs if _OUTSIDE.match(one)}
        for one in sorted(hubs | {shell.argument(each) for each in hubs}, key=len, reverse=True):
            text = re.sub(rf"(?<![\w./~-]){re.escape(one)}(?![\w.-])", UNKNOWN, text)
        return _PATH.sub("PATH", text)

    def _noted(self) -> dict[str, str]:
        if not self._read:
            self._notes.update(_read(path_of(self.settings)))
            self._read.append(True)
        return self._notes

    def _open(self, text: str) -> FolderHub:
        return FolderHub(self.settings.root / Path(text).expanduser())


def path_of(settings: Settings) -> Path:
    """The file of the notes."""
    return settings.releases / FILE


def has(hub: FolderHub, place: Location) -> bool:
    """Whether a folder has the commit of a place, undamaged or not."""
    namespace, _, name = place.model.name.partition("/")
    try:
        return hub.repo("model", namespace, name).has(place.model.commit)
    except (InputError, OSError):
        return False


def is_same(one: FolderHub, other: FolderHub) -> bool:
    """Whether two paths are of one folder. A path that leads nowhere, such as a loop of links, is itself."""
    return os.path.realpath(one.folder) == os.path.realpath(other.folder)


def is_there(hub: FolderHub) -> bool:
    """Whether the folder exists. One that this user may not look at, or whose disk does not answer, may: it is never
    taken for one that is gone."""
    try:
        return stat.S_ISDIR(hub.folder.stat().st_mode)
    except OSError as error:
        return error.errno not in _GONE
    except ValueError:
        return False  # no folder can have such a name


def _key(place: Location) -> str:
    return f"{place.model.name}@{place.model.commit}"


def _read(path: Path) -> dict[str, str]:
    """The notes that can be paths; none if they cannot be read."""
    try:
        told = shaped(jsontext.read(path), _Noted)
    except (OSError, ValueError, InputError):
        return {}
    notes = told["folders"] if told["format"] == FORMAT else {}
    return {key: text for key, text in notes.items() if text.isprintable() and text and not text.startswith("~")}
