"""Whether files can be made in a folder that may not exist yet, asked before long work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

_RIGHTS = "cannot be written"
_READ_ONLY = "is on a read-only file system"


class Obstacle(NamedTuple):
    """What prevents it. place: the nearest file or folder that exists; what: of it, such as ``cannot be written``."""

    place: Path
    what: str

    @property
    def is_rights(self) -> bool:
        """Whether other permissions help."""
        return self.what == _RIGHTS

    @property
    def is_movable(self) -> bool:
        """Whether it is a file or a link where a folder should be."""
        return not self.place.is_dir()


def obstacle(folder: Path) -> Obstacle | None:
    """What prevents files in ``folder``; None if nothing does. Nothing remains of the trial."""
    for place in (folder, *folder.parents):
        try:
            if place.is_dir():
                return _of_folder(place)
            if os.path.lexists(place):
                return Obstacle(place, "is a link to nothing" if place.is_symlink() else "is a file, not a folder")
        except OSError as error:
            return Obstacle(place, f"cannot be used ({error.strerror})")
    return None


def _of_folder(place: Path) -> Obstacle | None:
    """Permissions say nothing about file systems such as /proc, so a file without a name is made."""
    if not os.access(place, os.W_OK | os.X_OK):
        return Obstacle(place, _READ_ONLY if os.statvfs(place).f_flag & os.ST_RDONLY else _RIGHTS)
    try:
        os.close(os.open(place, os.O_TMPFILE | os.O_WRONLY))
    except (OSError, AttributeError):
        # Not every system and file system has files without names.
        try:
            Path(tempfile.mkdtemp(prefix=".zoo.trial-", dir=place)).rmdir()
        except OSError as error:
            return Obstacle(place, f"takes no new files ({error.strerror})")
    return None
