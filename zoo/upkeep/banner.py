"""The banner on a hub card while versions of its model are yanked. Pure text; it is added and removed exactly.

It comes after the front matter, which must be first, between two comments that nothing else writes. A third comment
counts the events of each version. When nothing is withdrawn any more, the card is as before the first notice, byte for
byte, and the title of that commit has the counts, so that a clone with an older catalog notices that, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from catalog import yanks
from catalog.release import Model
from zoo.errors import InputError
from zoo.release.cards import escape_markdown

_BEGIN, _END = "<!-- zoo:yank -->", "<!-- /zoo:yank -->"
_BANNER = re.compile(rf"{_BEGIN}\n.*?\n{_END}\n\n", re.DOTALL)
_EVENT = re.compile(r"^> \*\*Version (\S+) was withdrawn\*\* on (\d{4}-\d\d-\d\d) ", re.MULTILINE)
_RECORD = re.compile(r"^<!-- zoo:yanks (.*) -->\n", re.MULTILINE)
_TITLE = re.compile(r" \(zoo:yanks (.*)\)\Z")
_COUNT = re.compile(r"(\S+)=(\d{1,9})(?!\S)")
_FRONT = re.compile(r"---\n.*?\n---\n", re.DOTALL)


def of(model: Model) -> str:
    """The banner for the current yanks of the model's releases; empty if none is withdrawn now."""
    sentences = _sentences(model)
    if not sentences:
        return ""
    return "\n".join([_BEGIN, *sentences, f"<!-- zoo:yanks {_record(model)} -->", _END]) + "\n\n"


def title(model: Model) -> str:
    """The title of the commit of a card without a banner, with the record of events; empty if there never were any."""
    record = _record(model)
    return f"{model.name}: no version is withdrawn (zoo:yanks {record})" if record else ""


def _record(model: Model) -> str:
    """How many events the releases of a model have."""
    counts = [(one.version, _events(model, one.version)) for one in model.releases]
    return " ".join(f"{version}={count}" for version, count in counts if count)


def _events(model: Model, version: str) -> int:
    return sum(event.version == version for event in model.yanks)


def _sentences(model: Model) -> list[str]:
    events = yanks.active(model)
    if not events:
        return []
    severe = any(event.severity in ("high", "critical") for event in events)
    lines = [f"> [!{'CAUTION' if severe else 'WARNING'}]"]
    for event in events:
        instead = f" Use {escape_markdown(event.replacement)} instead." if event.replacement else ""
        reason = escape_markdown(event.reason)
        stop = "" if reason.endswith((".", "!", "?")) else "."
        lines += [
            ">" if len(lines) > 1 else "",
            f"> **Version {event.version} was withdrawn** on {event.date} (severity: {event.severity}). "
            f"{reason}{stop}{instead}",
        ]
    return [line for line in lines if line]


class OlderCatalog(InputError):
    """The hub knows of a withdrawn version that the catalog here does not have."""


def refuse_newer(card: str, name: str, model: Model | None, replace: str, titles: Iterable[str] = ()) -> None:
    """Raises OlderCatalog if the banner of ``card`` says what the catalog does not know: another machine withdrew a
    version or made it available again, and a card from here would take that back. model: the catalog's record of the
    model ``name``. replace: the command that replaces the card in any case. titles: of the commits of the branch."""
    old = _block(card)
    events = model.yanks if model else ()
    listed = _EVENT.findall(old)
    for version, date in listed:
        if not any(one.version == version and one.date >= date for one in events):
            raise OlderCatalog(
                f"the card of {name} on the hub says that version {version} was withdrawn on {date}, but the catalog "
                "here does not have that: it is older than the hub",
                safe="Nothing was changed.",
                remedy="Get the newest catalog, for example with: git pull. If nobody of yours withdrew that version, "
                f"replace the card with: {replace}",
            )
    records = [_RECORD.search(old), *map(_TITLE.search, titles)]
    for version, count in (pair for record in records if record for pair in _COUNT.findall(record[1])):
        if sum(one.version == version for one in events) < int(count):
            now = "was withdrawn again" if version in dict(listed) else "is available again"
            raise OlderCatalog(
                f"the card of {name} on the hub says that version {version} {now}, but the catalog here does not have "
                "that: it is older than the hub",
                safe="Nothing was changed.",
                remedy="Get the newest catalog, for example with: git pull. If nobody of yours changed that, "
                f"replace the card with: {replace}",
            )


def says_more(card: str, model: Model, titles: Iterable[str]) -> bool:
    """Whether the banner of ``card``, or a title of a commit of its branch, lists what the catalog does not know."""
    try:
        refuse_newer(card, model.name, model, "", titles)
    except OlderCatalog:
        return True
    return False


def shows(card: str, model: Model) -> bool:
    """Whether people read on ``card`` exactly what is withdrawn."""
    return notice(card) == notice(of(model))


def notice(card: str) -> str:
    """What people read of the banner of a card; empty without one."""
    return _RECORD.sub("", _block(card)).removeprefix(f"{_BEGIN}\n").removesuffix(f"{_END}\n\n")


def _block(card: str) -> str:
    front = _FRONT.match(card)
    old = _BANNER.match(card, front.end() if front else 0)
    return old[0] if old else ""


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
    return card[:start] + card[start + len(_block(card)) :]
