"""What a refused or broken request means: a kind for programs; a sentence and what to do next for people. Pure.

Reading and publishing use the same sentences. The hub's own words are quoted short and without secrets.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from zoo.addresses import origin
from zoo.errors import AGAIN, RESUMES, Again, InputError, RemoteError, ZooError
from zoo.hub.interface import CONTENT_LOST

MAYBE_DONE = frozenset(("server_error", "unreachable", "stalled", "proxy"))
"""After errors of these kinds it is unknown whether the hub did the work."""

STORAGE = frozenset(("storage_refused", "storage_missing"))
"""Kinds of errors of the storage that a hub sends its clients to. Its addresses expire, so a new one may work."""

_NEW_TOKEN = "Make a new token and set HF_TOKEN to it"
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)
_Facts = Mapping[str, object]
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST")
"""What the TLS library calls an answer that is not TLS."""
_SIGNED = re.compile(r"\?[\w.-]+=\S+")
"""The query of an address; those of uploads are signed and work for anyone who has them."""

_RATE = re.compile(r'"\w+"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})')


@dataclass(frozen=True)
class Asked:
    """What was requested. token_from says where the token came from; empty if none was sent.

    withheld: there is a token, which was not sent; approve says why, and what to do. writing: it changes the
    repository. secrets: texts that must not be shown if the other side repeats them.
    """

    address: str
    repository: str
    revision: str = ""
    path: str = ""
    token_from: str = ""
    writing: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    withheld: bool = False
    approve: str = ""

    @property
    def name(self) -> str:
        """What was requested, for a sentence."""
        if not self.repository:
            return "what was asked for"
        at = f"@{self.revision[:40]}" if self.revision else ""
        return f"{self.path} of {self.repository}{at}" if self.path else f"{self.repository}{at}"


def of(error: BaseException, asked: Asked, now: float) -> ZooError | None:
    """The error of the client, or of the HTTP library under it, which differs between versions, as one of ours.

    None for errors that do not concern the hub, such as an unreadable local file. now: seconds of Unix.
    """
    chain = list(causes(error))
    for cause in chain:
        response = getattr(cause, "response", None)
        if response is not None and isinstance(getattr(response, "status_code", None), int):
            headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
            headers.setdefault("x-error-message", str(getattr(cause, "server_message", None) or ""))
            told = stored(response.status_code, headers, asked) if _of_storage(response, asked) else None
            return told or answered(response.status_code, headers, asked, now)
    names = {type(cause).__name__ for cause in chain}
    if "UnicodeEncodeError" in names or any("header value" in str(cause) for cause in chain):
        # The error's own text may contain the token.
        return InputError("the token has characters that cannot be sent", remedy="Set HF_TOKEN again")
    if "HFValidationError" in names:
        return InputError(f"{asked.name} is not a valid name on a hub{_quoted(str(error), asked)}")
    if any(isinstance(cause, OSError) and cause.filename for cause in chain):
        return None
    if any(isinstance(cause, RecursionError) for cause in chain):
        return too_deep(asked)
    # A certificate that is not trusted is a ValueError, too.
    if "JSONDecodeError" in names or (isinstance(chain[-1], _MALFORMED) and not isinstance(chain[-1], ssl.SSLError)):
        return not_a_hub(asked)
    return broken(error, asked)


def answered(status: int, headers: Mapping[str, str], asked: Asked, now: float) -> RemoteError:
    """The error of an answer with ``status`` (400 and more); header names in lower case; ``now`` in seconds of Unix."""
    code, said = headers.get("x-error-code", ""), _quoted(headers.get("x-error-message", ""), asked)
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
        return _error("no_room", f"{asked.address} has no space left{said}", facts,
                      "Free some space there", AGAIN)  # fmt: skip
    if status == 429 or status >= 500 or status == 408:
        return _later(status, retry_after(headers, now), now, asked, said, facts)
    if status == 407:
        return _error("proxy", f"the proxy for {asked.address} requires a name and a password{said}", facts,
                      "Put them into HTTPS_PROXY, or bypass the proxy with NO_PROXY")  # fmt: skip
    if status in (409, 412):
        return _error("conflict", f"someone else changed {asked.repository or 'the repository'}{said}", facts,
                      "", AGAIN)  # fmt: skip
    if status == 413:
        return _error("too_large", f"{asked.address} does not accept a file this large{said}", facts,
                      "Ask its operator for a higher limit, or make the release smaller")  # fmt: skip
    if status == 400:
        return _error("invalid", f"{asked.address} refuses the request{said}", facts, "")
    what = f"{asked.address} answered {status} for {asked.name}{said}"
    return _error("refused", what, facts, "Check the address")


def _of_storage(response: object, asked: Asked) -> bool:
    """Whether an answer came from the storage of contents and not from the hub: only uploads use PUT, and signed
    addresses need no token.
    """
    try:
        request = response.request  # type: ignore[attr-defined]  # of the HTTP library, which differs by version
        method, url = str(request.method), str(request.url)
    except (AttributeError, RuntimeError):
        return False
    away = bool(asked.address) and origin(url) != origin(asked.address)
    return away or method == "PUT" or "signature=" in url.lower()


def stored(status: int, headers: Mapping[str, str], asked: Asked) -> RemoteError | None:
    """The error of the storage of contents, which checks no token; None for other answers than refusals."""
    what = asked.path or "a file"
    facts = {"address": asked.address, "repository": asked.repository, "status": status, "path": asked.path}
    if status in (401, 403):
        said = headers.get("x-error-message", "")
        said = "" if said.lstrip().startswith("<") else _quoted(said, asked)
        way = f"to take {what}" if asked.writing else f"to send {what}"
        return RemoteError(f"the storage of {asked.address} refused {way} ({status}){said}", kind="storage_refused",
                           facts=facts, transient=True, again=RESUMES)  # fmt: skip
    if status in (404, 410):
        way = "no longer takes" if asked.writing else "does not have"
        return RemoteError(f"the storage of {asked.address} {way} {what}, although the hub lists it ({status})",
                           kind="storage_missing", facts=facts, transient=True,
                           again=Again(note="if this happens again, ask the owner of the repository"))  # fmt: skip
    return None


def _gated(asked: Asked, facts: _Facts) -> RemoteError:
    how = f"The token comes from {asked.token_from}" if asked.token_from else "No token was sent"
    if asked.withheld:
        what = f"{asked.repository} is gated, and your token was not sent"
        return _error("gated", what, {**facts, "withheld": True}, asked.approve, AGAIN)
    what = f"{asked.repository} is gated: {asked.address} requires you to accept its terms first"
    accept = f"Accept the terms at {asked.address}/{asked.repository} in a browser"
    remedy = f"{how}. {accept}, set HF_TOKEN to a token of that account"
    return _error("gated", what, {**facts, "token_from": asked.token_from}, remedy, AGAIN)


def _no_revision(asked: Asked, facts: _Facts) -> RemoteError:
    named = f"revision {asked.revision}" if asked.revision else "commit of this name"
    what = f"{asked.repository or asked.address} has no {named}"
    return _error("revision_not_found", what, facts, "Name a commit, a tag or a branch that exists")


def _no_file(asked: Asked, facts: _Facts) -> RemoteError:
    at = f" at {asked.revision}" if asked.revision else ""
    what = f"{asked.repository or asked.address} has no file {asked.path or 'of this name'}{at}"
    return _error("file_not_found", what, facts, "Check what the revision contains, or name another one")


def _lost(asked: Asked, facts: _Facts) -> RemoteError:
    what = f"{asked.address} has lost the content of {asked.name}"
    return _error("content_lost", what, facts, "Ask the owner of the repository to repair it")


def _no_repository(asked: Asked, facts: _Facts) -> RemoteError:
    """The Hub gives the same answer for private ones."""
    other = "it is private, and your token was not sent" if asked.withheld else "it is private, and no token was sent"
    if asked.token_from:
        other = f"the token from {asked.token_from} cannot read it"
    what = f"{asked.address} has no repository {asked.repository or 'of this name'}, or {other}"
    if asked.withheld:
        # ``Door`` has reported how to approve the hub.
        return _error("not_found", what, {**facts, "token_from": "", "withheld": True}, "Check the spelling", AGAIN)
    return _error("not_found", what, {**facts, "token_from": asked.token_from},
                  "Check the spelling; for a private repository, set HF_TOKEN to a token that may read it")  # fmt: skip


_BY_CODE: Mapping[str, Callable[[Asked, _Facts], RemoteError]] = {
    "GatedRepo": _gated,
    "RevisionNotFound": _no_revision,
    "EntryNotFound": _no_file,
    "RepoNotFound": _no_repository,
    CONTENT_LOST: _lost,
}


def _not_allowed(status: int, asked: Asked, said: str, facts: _Facts) -> RemoteError:
    facts = {**facts, "token_from": asked.token_from}
    if status == 403 and asked.withheld:
        what = f"{asked.address} does not allow this without a token, and yours was not sent{said}"
        return _error("forbidden", what, {**facts, "withheld": True}, asked.approve, AGAIN)
    if status == 403 and asked.writing:
        return _error("forbidden", f"{asked.address} does not allow changing {asked.name}{said}", facts,
                      "Set HF_TOKEN to a token with the role write", AGAIN)  # fmt: skip
    if status == 403:
        return _error("forbidden", f"{asked.address} does not allow reading {asked.name}{said}", facts,
                      "Set HF_TOKEN to a token that may read it", AGAIN)  # fmt: skip
    if asked.token_from:
        remedy = _NEW_TOKEN if asked.writing else f"{_NEW_TOKEN}; a public model needs none"
        return _error("token_refused", f"{asked.address} does not accept the token from {asked.token_from}{said}",
                      facts, remedy, AGAIN)  # fmt: skip
    if asked.withheld:
        what = f"{asked.address} requires a token, but yours was not sent{said}"
        return _error("token_missing", what, {**facts, "withheld": True}, "", AGAIN)
    return _error("token_missing", f"{asked.address} requires a token, but none was sent{said}", facts,
                  "Set HF_TOKEN (it is sent over https and to this machine only)", AGAIN)  # fmt: skip


def _later(status: int, wait: float | None, now: float, asked: Asked, said: str, facts: _Facts) -> RemoteError:
    """Another try may help, after the wait that the other side asks for."""
    if status != 429:
        return RemoteError(f"{asked.address} failed with {status}{said}", kind="server_error", facts=facts,
                           transient=True, wait_seconds=wait, again=RESUMES)  # fmt: skip
    when = "in some minutes" if wait is None else _when(wait, now)
    return RemoteError(f"{asked.address} asks for fewer requests{said}", kind="rate_limited",
                       facts={**facts, "wait_seconds": wait}, transient=True, wait_seconds=wait,
                       again=Again(when, RESUMES.note))  # fmt: skip


def _when(wait: float, now: float) -> str:
    """When to try again, in ``wait`` seconds: a date if that is not soon."""
    if wait < 2 * 3600:
        return f"in {wait:.0f} seconds"
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


def broken(error: BaseException, asked: Asked) -> RemoteError:
    """The error of a connection that failed or broke."""
    chain = list(causes(error))
    names = {type(cause).__name__ for cause in chain}
    words = _quoted(str(chain[-1]), asked) or f": {type(chain[-1]).__name__}"
    facts: _Facts = {
        "address": asked.address,
        "repository": asked.repository,
    }
    if names & {"OfflineModeIsEnabled"}:
        return _error("offline", f"the client is in offline mode, so {asked.name} cannot be fetched", facts,
                      "Unset HF_HUB_OFFLINE", AGAIN)  # fmt: skip
    if any(mark in str(cause) for cause in chain for mark in _NOT_TLS):
        return _error("tls", f"{asked.address} does not speak https: plain http, or something else, is there", facts,
                      "Check the port; for zoo hub serve, the address begins with http://")  # fmt: skip
    if any(isinstance(cause, ssl.SSLError) or "CERTIFICATE_VERIFY" in str(cause) for cause in chain):
        return _error("tls", f"the certificate of {asked.address} is not trusted{words}", facts,
                      "Check this machine's clock; behind a proxy that decrypts traffic, set SSL_CERT_FILE to its "
                      "certificate")  # fmt: skip
    if names & {"ProxyError"}:
        return _error("proxy", f"the proxy for {asked.address} refuses the connection{words}", facts,
                      "Check HTTPS_PROXY and HTTP_PROXY, or bypass the proxy with NO_PROXY")  # fmt: skip
    if names & {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError"}:
        return _error("refused", f"{asked.address} redirected to an invalid address{words}", facts,
                      "Check the address")  # fmt: skip
    if names & {"ReadTimeout", "WriteTimeout", "ConnectTimeout", "PoolTimeout", "TimeoutError"}:
        return RemoteError(f"{asked.address} stopped answering", kind="stalled", facts=facts, transient=True,
                           remedy="Check the network", again=RESUMES)  # fmt: skip
    return RemoteError(f"{asked.address} cannot be reached, or the connection broke{words}", kind="unreachable",
                       facts=facts, transient=True,
                       remedy="Check the address and the network", again=RESUMES)  # fmt: skip


def not_a_hub(asked: Asked) -> RemoteError:
    """Something else answered instead of the hub."""
    what = f"{asked.address} sent an answer that no hub sends. Is there a proxy in between?"
    return _error("proxy", what, {"address": asked.address, "repository": asked.repository},
                  "Check the address and the network (a sign-in page?)", AGAIN)  # fmt: skip


def too_deep(asked: Asked) -> RemoteError:
    """An answer that no parser reads to its end, and no hub needs."""
    what = f"the answer of {asked.address} is not valid: it is nested too deeply. It was not used"
    return _error("malformed", what, {"address": asked.address, "repository": asked.repository}, "Check the address")


def wrong(kind: str, what: str, asked: Asked, expected: str | int, got: str | int) -> RemoteError:
    """An answer that announces a different file from the requested one; none of it is used."""
    facts = {"address": asked.address, "repository": asked.repository, "path": asked.path, "expected": expected,
             "got": got}  # fmt: skip
    return _error(kind, what, facts, "", Again(note="if this happens again, ask the owner of the repository"))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _error(kind: str, what: str, facts: _Facts, remedy: str, again: Again | None = None) -> RemoteError:
    return RemoteError(what, kind=kind, facts=facts, remedy=remedy, again=again)


def _quoted(text: str, asked: Asked) -> str:
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    for secret in asked.secrets:
        line = line.replace(secret, "...")
    line = _SIGNED.sub("?...", line)[:200]
    return f": {line}" if line else ""
