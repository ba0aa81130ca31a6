"""Whether files can be made in a folder that may not exist yet, asked before long work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Obstacle(NamedTuple):
    """What prevents it. place: the nearest file or folder that exists; what: of it, such as ``cannot be written``."""

    place: Path
    what: str

    @property
    def is_folder(self) -> bool:
        """Whether other permissions help."""
        return self.place.is_dir()


def obstacle(folder: Path) -> Obstacle | None:
    """What prevents files in ``folder``; None if nothing does. Nothing is made."""
    for place in (folder, *folder.parents):
        try:
            if place.is_dir():
                return None if os.access(place, os.W_OK | os.X_OK) else Obstacle(place, "cannot be written")
            if os.path.lexists(place):
                return Obstacle(place, "is a link to nothing" if place.is_symlink() else "is a file, not a folder")
        except OSError as error:
            return Obstacle(place, f"cannot be used ({error.strerror})")
    return None
