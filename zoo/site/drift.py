"""The report of ``zoo watch``, if there is one: its copy on the site, and what pages show of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from catalog import plainfiles, watch
from catalog.watch import Badge
from zoo.errors import InputError
from zoo.settings import Settings
from zoo.site import content, state
from zoo.site.pages import Drift
from zoo.site.pages.kinds import AS_RECORDED
from zoo.site.state import Part

PATH = f"evidence/{watch.FILE}"
_AGAIN = "Write it again: zoo watch"


def read(settings: Settings) -> tuple[Drift | None, bytes]:
    """What pages show, and the file. Raises InputError for a report that cannot be read or is invalid."""
    place = settings.evidence / watch.FILE
    shown = settings.shown(place)
    if not place.exists() and not place.is_symlink():
        return None, b""
    try:
        found = plainfiles.read_bounded(place, plainfiles.MOST_REPORT_BYTES)
        report, problems = watch.parse(found.decode("utf-8"), shown)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        what = f"the drift report cannot be read: {reason}"
        raise InputError(what, where=shown, safe=content.SAFE, remedy=_AGAIN) from error
    if report is None:
        told = "\n".join(["the drift report is invalid:", *map(str, problems)])
        raise InputError(told, safe=content.SAFE, remedy=_AGAIN)
    badges = {key: _lasting(badge) for key, badge in watch.badges(report).items()}
    return Drift(PATH, watch.badge(report), badges), found


def _lasting(badge: Badge) -> Badge:
    """A badge that does not change if tomorrow's watch finds the same, so that the page of its model does not
    change."""
    return AS_RECORDED if badge.state == AS_RECORDED.state else badge


def put(settings: Settings, report: bytes, old: Mapping[str, Part], new: Path) -> Part:
    """The copy of the report on the site; no file without a report."""
    key = hashlib.sha256(b"watch\n" + report).hexdigest()
    known = old.get("watch")
    if known and state.take_over(known, key, settings.site.resolve(), new):
        return known
    if not report:
        return Part(key, {})
    target = new / PATH
    state.make_room(target)
    target.write_bytes(report)
    return Part(key, state.stamps(new, [PATH]))
