"""What an error advises about files that this user may not use."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path

from zoo.errors import remedy_for


def test_permissions_are_for_the_owner_of_the_place(tmp_path: Path) -> None:
    place = tmp_path / "a b"
    place.mkdir()
    missing = PermissionError(errno.EACCES, "Permission denied", str(place / "new/file"))
    assert remedy_for(missing) == f"Fix the permissions: chmod u+rwX '{place}'"
    assert remedy_for(PermissionError(errno.EACCES, "Permission denied")) == "Fix the permissions"
    other = Path("/")
    if os.geteuid() == 0:
        other = place
        os.chown(place, 65_534, -1)
    said = remedy_for(PermissionError(errno.EACCES, "Permission denied", str(other / "missing" / "file")))
    owner = pwd.getpwuid(other.stat().st_uid).pw_name
    assert said == f"{other} belongs to {owner}. Use a place of your own, or ask {owner} for access to it"
