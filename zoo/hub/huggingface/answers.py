"""What an answer of the hub with a status of 400 or more means, and one of the storage of contents. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from catalog.words import counted
from zoo.errors import AGAIN, RESUMES, Again, RemoteError
from zoo.hub.huggingface.asked import Asked, Facts, failed, not_a_hub, quoted
from zoo.hub.interface import CONTENT_LOST

STORAGE = frozenset(("storage_refused", "storage_missing"))
"""Kinds of errors of the storage that a hub sends its clients to. Its addresses expire, so a new one may work."""

_NEW_TOKEN = "Make a new token and set HF_TOKEN to it"
_RATE = re.compile(r'"\w+"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})')


def answered(status: int, headers: Mapping[str, str], asked: Asked, now: float) -> RemoteError:
    """The error of an answer with ``status`` (400 and more); header names in lower case; ``now`` in seconds of Unix."""
    code, said = headers.get("x-error-code", ""), quoted(headers.get("x-error-message", ""), asked)
    facts = {"address": asked.address, "repository": asked.repository, "status": status}
    facts |= {"path": asked.path} if asked.path else {}
    facts |= {"revision": asked.revision} if asked.revision else {}
    if status == 404 and not code and "text/html" in headers.get("content-type", ""):
        return not_a_hub(asked)
    if code in _BY_CODE or (status == 404 and not code):
        return _BY_CODE.get(code, _no_repository)(asked, facts)
    if status in (401, 403):
        return _not_allowed(status, asked, said, facts)
    if status == 507:
        return failed("no_room", f"{asked.address} has no space left{said}", facts,
                      "Free some space there", AGAIN)  # fmt: skip
    if status == 429 or status >= 500 or status == 408:
        return _later(status, retry_after(headers, now), now, asked, said, facts)
    if status == 407:
        return failed("proxy", f"the proxy for {asked.address} requires a name and a password{said}", facts,
                      "Put them into HTTPS_PROXY, or bypass the proxy with NO_PROXY")  # fmt: skip
    if status in (409, 412):
        return failed("conflict", f"someone else changed {asked.repository or 'the repository'}{said}", facts,
                      "", AGAIN)  # fmt: skip
    if status == 413:
        return failed("too_large", f"{asked.address} does not accept a file this large{said}", facts,
                      "Ask its operator for a higher limit, or make the release smaller")  # fmt: skip
    if status == 400:
        return failed("invalid", f"{asked.address} refuses the request{said}", facts, "")
    what = f"{asked.address} answered {status} for {asked.name}{said}"
    return failed("refused", what, facts, "Check the address")


def stored(status: int, headers: Mapping[str, str], asked: Asked) -> RemoteError | None:
    """The error of the storage of contents, which checks no token; None for other answers than refusals."""
    what = asked.path or "a file"
    facts = {"address": asked.address, "repository": asked.repository, "status": status, "path": asked.path}
    if status in (401, 403):
        said = headers.get("x-error-message", "")
        said = "" if said.lstrip().startswith("<") else quoted(said, asked)
        way = f"to take {what}" if asked.writing else f"to send {what}"
        return RemoteError(f"the storage of {asked.address} refused {way} ({status}){said}", kind="storage_refused",
                           facts=facts, transient=True, again=RESUMES)  # fmt: skip
    if status in (404, 410):
        way = "no longer takes" if asked.writing else "does not have"
        return RemoteError(f"the storage of {asked.address} {way} {what}, although the hub lists it ({status})",
                           kind="storage_missing", facts=facts, transient=True,
                           again=Again(note="if this happens again, ask the owner of the repository"))  # fmt: skip
    return None


def redirected(status: int, there: str, asked: Asked) -> RemoteError | None:
    """The error of a question that the hub redirected to somewhere else, which refused it; None for other answers."""
    if status not in (401, 403, 404, 410):
        return None
    facts = {"address": asked.address, "repository": asked.repository, "status": status}
    what = f"{asked.address} redirects to {there}, which refuses the request ({status})"
    return failed("refused", what, facts, "Check the address: a sign-in page may be there. If the hub moved, name its "
                  "new address with --hub")  # fmt: skip


def _gated(asked: Asked, facts: Facts) -> RemoteError:
    how = f"The token comes from {asked.token_from}" if asked.token_from else "No token was sent"
    if asked.withheld:
        what = f"{asked.repository} is gated, and your token was not sent"
        return failed("gated", what, {**facts, "withheld": True}, asked.approve, AGAIN)
    what = f"{asked.repository} is gated: {asked.address} requires you to accept its terms first"
    accept = f"Accept the terms at {asked.address}/{asked.repository} in a browser"
    remedy = f"{how}. {accept}, set HF_TOKEN to a token of that account"
    return failed("gated", what, {**facts, "token_from": asked.token_from}, remedy, AGAIN)


def _no_revision(asked: Asked, facts: Facts) -> RemoteError:
    named = f"revision {asked.revision}" if asked.revision else "commit of this name"
    what = f"{asked.repository or asked.address} has no {named}"
    return failed("revision_not_found", what, facts, "Name a commit, a tag or a branch that exists")


def _no_file(asked: Asked, facts: Facts) -> RemoteError:
    at = f" at {asked.revision}" if asked.revision else ""
    what = f"{asked.repository or asked.address} has no file {asked.path or 'of this name'}{at}"
    return failed("file_not_found", what, facts, "Check what the revision contains, or name another one")


def _lost(asked: Asked, facts: Facts) -> RemoteError:
    what = f"{asked.address} has lost the content of {asked.name}"
    return failed("content_lost", what, facts, "Ask the owner of the repository to repair it")


def _no_repository(asked: Asked, facts: Facts) -> RemoteError:
    """The Hub gives the same answer for private ones."""
    other = "it is private, and your token was not sent" if asked.withheld else "it is private, and no token was sent"
    if asked.token_from:
        other = f"the token from {asked.token_from} cannot read it"
    what = f"{asked.address} has no repository {asked.repository or 'of this name'}, or {other}"
    if asked.withheld:
        # ``Door`` has reported how to approve the hub.
        return failed("not_found", what, {**facts, "token_from": "", "withheld": True}, "Check the spelling", AGAIN)
    return failed("not_found", what, {**facts, "token_from": asked.token_from},
                  "Check the spelling; for a private repository, set HF_TOKEN to a token that may read it")  # fmt: skip


_BY_CODE: Mapping[str, Callable[[Asked, Facts], RemoteError]] = {
    "GatedRepo": _gated,
    "RevisionNotFound": _no_revision,
    "EntryNotFound": _no_file,
    "RepoNotFound": _no_repository,
    CONTENT_LOST: _lost,
}


def _not_allowed(status: int, asked: Asked, said: str, facts: Facts) -> RemoteError:
    facts = {**facts, "token_from": asked.token_from}
    if status == 403 and asked.withheld:
        what = f"{asked.address} does not allow this without a token, and yours was not sent{said}"
        return failed("forbidden", what, {**facts, "withheld": True}, asked.approve, AGAIN)
    if status == 403 and asked.writing:
        return failed("forbidden", f"{asked.address} does not allow changing {asked.name}{said}", facts,
                      "Set HF_TOKEN to a token with the role write", AGAIN)  # fmt: skip
    if status == 403:
        return failed("forbidden", f"{asked.address} does not allow reading {asked.name}{said}", facts,
                      "Set HF_TOKEN to a token that may read it", AGAIN)  # fmt: skip
    if asked.token_from:
        remedy = _NEW_TOKEN if asked.writing else f"{_NEW_TOKEN}; a public model needs none"
        return failed("token_refused", f"{asked.address} does not accept the token from {asked.token_from}{said}",
                      facts, remedy, AGAIN)  # fmt: skip
    if asked.withheld:
        what = f"{asked.address} requires a token, but yours was not sent{said}"
        # ``Door`` has reported how.
        return failed("token_missing", what, {**facts, "withheld": True}, "Approve that address first, as the warning "
                      "about your token says", AGAIN)  # fmt: skip
    return failed("token_missing", f"{asked.address} requires a token, but none was sent{said}", facts,
                  "Set HF_TOKEN (it is sent over https and to this machine only)", AGAIN)  # fmt: skip


def _later(status: int, wait: float | None, now: float, asked: Asked, said: str, facts: Facts) -> RemoteError:
    """Another try may help, after the wait that the other side asks for."""
    if status != 429:
        return RemoteError(f"{asked.address} failed with {status}{said}", kind="server_error", facts=facts,
                           transient=True, wait_seconds=wait, again=RESUMES)  # fmt: skip
    when = "in some minutes" if wait is None else when_again(wait, now)
    return RemoteError(f"{asked.address} asks for fewer requests{said}", kind="rate_limited",
                       facts={**facts, "wait_seconds": wait}, transient=True, wait_seconds=wait,
                       again=Again(when, RESUMES.note))  # fmt: skip


def when_again(wait: float, now: float) -> str:
    """When to try again, in ``wait`` seconds: a date if that is not soon."""
    if wait < 2 * 3600:
        return f"in {counted(round(wait), 'second')}"
    try:
        then = datetime.fromtimestamp(now + wait, UTC)
    except (ValueError, OverflowError, OSError):
        return "much later"
    return f"after {then:%Y-%m-%d %H:%M} UTC, as it asks"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the other side asks to wait: Retry-After as a number or a date, else the Hub's RateLimit header."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    if text:
        try:
            return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
        except (TypeError, ValueError, OverflowError):
            pass
    found = _RATE.search(headers.get("ratelimit", ""))
    return float(found[1]) if found else None
