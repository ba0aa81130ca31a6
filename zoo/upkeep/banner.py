"""The banner on a hub card while versions of its model are yanked. Pure text; it is added and removed exactly.

It comes after the front matter, which must be first, between two comments that nothing else writes.
"""

from __future__ import annotations

import re

from catalog import yanks
from catalog.release import Model
from zoo.errors import InputError
from zoo.release.cards import escape_markdown

_BEGIN, _END = "<!-- zoo:yank -->", "<!-- /zoo:yank -->"
_BANNER = re.compile(rf"{_BEGIN}\n.*?\n{_END}\n\n", re.DOTALL)
_EVENT = re.compile(r"^> \*\*Version (\S+) was withdrawn\*\* on (\d{4}-\d\d-\d\d) ", re.MULTILINE)
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


class OlderCatalog(InputError):
    """The hub knows of a withdrawn version that the catalog here does not have."""


def refuse_newer(card: str, name: str, model: Model | None) -> None:
    """Raises OlderCatalog if the banner of ``card`` lists what the catalog does not know: another machine withdrew it,
    and a card from here would take that back. model: the catalog's record of the model ``name``."""
    front = _FRONT.match(card)
    old = _BANNER.match(card[front.end() if front else 0 :])
    events = model.yanks if model else ()
    for version, date in _EVENT.findall(old[0]) if old else ():
        if not any(one.version == version and one.date >= date for one in events):
            raise OlderCatalog(
                f"the card of {name} on the hub says that version {version} was withdrawn on {date}, but the catalog "
                "here does not have that: it is older than the hub",
                safe="Nothing was changed.",
                remedy="Get the newest catalog, for example with: git pull. If nobody of yours withdrew that version, "
                f"replace the card with: zoo card {name} --publish --force",
            )


def says_more(card: str, model: Model) -> bool:
    """Whether the banner of ``card`` lists what the catalog does not know."""
    try:
        refuse_newer(card, model.name, model)
    except OlderCatalog:
        return True
    return False


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
