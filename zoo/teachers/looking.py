"""The first look at a server: the model as it lists it, before anything is asked."""

from __future__ import annotations

import dataclasses

from zoo.errors import RemoteError
from zoo.teachers.door import Line
from zoo.teachers.pace import PATIENCE, Pace
from zoo.teachers.servers import Served, served

_FIRST_TRIES = 3
"""Of a server that does not answer at all before the first question."""


def look(line: Line, wanted: str, pace: Pace) -> Served:
    """The model of the name ``wanted``. Raises RemoteError."""
    count = 0
    while True:
        try:
            return served(line.look(), wanted, line.door.place)
        except RemoteError as error:
            count += 1
            # A server that loads its model says so; one that is not there may not have been started.
            is_loading = error.kind in ("server_error", "rate_limited")
            pace.patience = PATIENCE if is_loading else dataclasses.replace(PATIENCE, tries=_FIRST_TRIES)
            pace.failed(error, count)
        finally:
            line.close()
