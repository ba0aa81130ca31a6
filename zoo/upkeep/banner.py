"""The banner on a hub card while versions of its model are yanked. Pure text; it is added and removed exactly.

It comes after the front matter, which must be first, between two comments that nothing else writes.
"""

from __future__ import annotations

import re

from catalog import yanks
from catalog.release import Model
from zoo.release.cards import escape_markdown

_BEGIN, _END = "<!-- zoo:yank -->", "<!-- /zoo:yank -->"
_BANNER = re.compile(rf"{_BEGIN}\n.*?\n{_END}\n\n", re.DOTALL)
_FRONT = re.compile(r"---\n.*?\n---\n", re.DOTALL)


def of(model: Model) -> str:
    """The banner for the current yanks; empty if there are none."""
    events = yanks.active(model)
    if not events:
        return ""
    severe = any(event.severity in ("high", "critical") for event in events)
    lines = [_BEGIN, f"> [!{'CAUTION' if severe else 'WARNING'}]"]
    for event in events:
        instead = f" Use {escape_markdown(event.replacement)} instead." if event.replacement else ""
        reason = escape_markdown(event.reason)
        stop = "" if reason.endswith((".", "!", "?")) else "."
        lines += [
            ">" if len(lines) > 2 else "",
            f"> **Version {event.version} was withdrawn** on {event.date} (severity: {event.severity}). "
            f"{reason}{stop}{instead}",
        ]
    return "\n".join(line for line in [*lines, _END] if line) + "\n\n"


def put(card: str, model: Model) -> str:
    """The card with the banner of ``model`` instead of an older one."""
    bare = take_off(card)
    front = _FRONT.match(bare)
    start = front.end() if front else 0
    return bare[:start] + of(model) + bare[start:]


def take_off(card: str) -> str:
    """The card as it was published."""
    front = _FRONT.match(card)
    start = front.end() if front else 0
    old = _BANNER.match(card[start:])
    return card[:start] + card[start + old.end() :] if old else card
