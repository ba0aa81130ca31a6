"""How the official client is called: with timeouts, without its bars, and its errors told as ours."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from zoo.errors import InputError, MissingExtra, ZooError
from zoo.hub.huggingface import trusted
from zoo.hub.interface import HubConflict

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TIMEOUT_SECONDS = 60.0
"""For one step of a connection, not for a whole transfer. The client by itself waits for ever."""

PAUSES_SECONDS = (1.0, 3.0)
"""Between tries of what the client itself tries only once: references, commits, tags, new repositories."""

LONGEST_WAIT_SECONDS = 60
"""A hub that asks for a longer pause than this is told of instead of waited for."""

_AGAIN = "Run the same command again; it goes on from there"
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)
_tuned = False
_Result = TypeVar("_Result")


class ClientFailure(ZooError):
    """The hub could not be asked, or refused. ``refused``: it certainly did not do what was asked.

    wait_seconds: how long the hub wants to be left alone, None unless it said so.
    """

    def __init__(self, what: str, *, remedy: str, refused: bool, wait_seconds: int | None = None) -> None:
        super().__init__(what, safe="No reference of the hub shows a half release.", remedy=remedy)
        self.refused, self.wait_seconds = refused, wait_seconds


def client(address: str, kind: str = "", identity: str = "") -> HfApi:
    """The official client for ``address``, with the token for a repository if one is named. Raises MissingExtra."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra("the Hub client is not installed", "hub") from None
    _tune()
    # None: HF_TOKEN or the client's own store.
    token: str | bool | None = None if is_private_way(address) else False
    if identity and token is None:
        token = trusted.token_for(address, kind, identity)
    api = HfApi(endpoint=address, token=token)
    # zoo check judges cards; the client would ask a service for it, which may be away and then looks like a bad card.
    api._validate_yaml = lambda *_args, **_more: None  # type: ignore[method-assign]
    return api


def patiently(ask: Callable[[], _Result], *, settled: Callable[[], _Result | None] = lambda: None) -> _Result:
    """The result of ``ask``, tried again after a fault of the network or the server.

    settled: looks whether a try whose answer was lost did its work all the same; asked before every new try and at
    the end. Raises what ``ask`` raised last.
    """
    for pause in (*PAUSES_SECONDS, None):
        try:
            return ask()
        except ClientFailure as error:
            waits = error.wait_seconds is not None and error.wait_seconds <= LONGEST_WAIT_SECONDS
            if error.refused and not waits:
                raise
            if not error.refused and (found := settled()) is not None:
                return found
            if pause is None:
                raise
            time.sleep(max(pause, error.wait_seconds or 0) if waits else pause)
    raise AssertionError("the last pause is None")


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def _note_redirect(response: Any) -> None:
    """Where the first request of a chain of redirects went."""
    if 300 <= response.status_code < 400:
        response.request.extensions.setdefault("zoo_origin", _origin(str(response.request.url)))


def _keep_token(request: Any) -> None:
    """No token for whom a redirect names; 1.x would send it to another port of the same machine."""
    first = request.extensions.get("zoo_origin")
    if first is not None and first != _origin(str(request.url)):
        request.headers.pop("Authorization", None)


def is_private_way(address: str) -> bool:
    """Whether nobody on the way can read what is sent to ``address``."""
    parts = urlsplit(address)
    try:
        return parts.scheme == "https" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _tune() -> None:
    """Once per process: timeouts, and no bars beside ours."""
    global _tuned
    if _tuned:
        return
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http
    from huggingface_hub.utils.tqdm import disable_progress_bars

    def factory() -> Any:
        made = _http.default_client_factory()
        made.timeout = TIMEOUT_SECONDS
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], _keep_token],
            "response": [*hooks["response"], _note_redirect],
        }
        return made

    logging.getLogger("huggingface_hub.utils._http").addFilter(_without_queries)
    # The client hands a file to httpx in a way that one calls outdated; nobody can act on it here.
    warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
    # A request of its own to find out which program calls it, and a list of what is installed in every header.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    set_client_factory(factory)
    disable_progress_bars()
    _tuned = True


def _without_queries(record: logging.LogRecord) -> bool:
    """The client says which address it asks again; those of uploads are signed and open to whoever has them."""
    record.msg, record.args = re.sub(r"\?\S+", "?...", record.getMessage()), ()
    return True


@contextmanager
def without_xet() -> Iterator[None]:
    """Large files go by LFS meanwhile."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextmanager
def plain(address: str) -> Iterator[None]:
    """Errors of the client, and of the HTTP library under it, which differs between versions, as a ZooError."""
    try:
        yield
    except ZooError:
        raise
    except ImportError:
        raise MissingExtra("the Hub client is not installed", "hub") from None
    except Exception as error:
        told = _told(error, address)
        if told is None:
            raise
        raise told from error


def _told(error: Exception, address: str) -> ZooError | None:
    """None for what has nothing to do with the hub: a local file that cannot be read."""
    chain = list(_chain(error))
    for cause in chain:
        response = getattr(cause, "response", None)
        if response is not None and isinstance(getattr(response, "status_code", None), int):
            return _answered(cause, response, address)
    names = {type(cause).__name__ for cause in chain}
    if names & {"UnicodeEncodeError", "LocalProtocolError"}:
        # Its text may hold the token.
        return InputError("HF_TOKEN has characters that cannot be sent", remedy="Set HF_TOKEN again")
    if "OfflineModeIsEnabled" in names:
        return ClientFailure("the client is in offline mode", remedy="Unset HF_HUB_OFFLINE", refused=True)
    if "HFValidationError" in names:
        return InputError(_line(str(error)))
    if any(isinstance(cause, OSError) and cause.filename for cause in chain):
        return None
    if "JSONDecodeError" in names or any(isinstance(cause, _MALFORMED) for cause in chain[-1:]):
        what = f"{address} answered with something that is no hub's answer; is there a proxy between?"
        return ClientFailure(what, remedy="Check the address and the network, then run again", refused=False)
    last = chain[-1]
    what = f"{address} cannot be reached or stopped answering: {_line(str(last)) or type(last).__name__}"
    return ClientFailure(what, remedy=f"Check the address and the network. {_AGAIN}", refused=False)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _answered(error: BaseException, response: Any, address: str) -> ZooError:
    """The hub's own refusal. The token is in no part of it, and would be taken out if it were."""
    status, code = response.status_code, response.headers.get("X-Error-Code", "")
    said = _line(response.headers.get("X-Error-Message", "")) or _line(
        getattr(error, "server_message", "") or ""
    )
    said = f": {said}" if said else ""
    if code in ("RevisionNotFound", "EntryNotFound"):
        return InputError(f"the repository has no commit or file of this name{said}")
    if code == "GatedRepo":
        return _refused(
            f"{address} gives this only to who accepted its terms{said}", "Accept them in a browser"
        )
    if code == "RepoNotFound":
        return InputError(f"{address} has no such repository, or this token may not see it{said}")
    if status == 401:
        return _refused(
            f"{address} does not accept the token, or wants one{said}",
            "Set HF_TOKEN (it is sent over https and to this machine only) and run the same command again",
        )
    if status == 403:
        return _refused(
            f"{address} does not allow this{said}",
            "Set HF_TOKEN to a token with the role write and run the same command again",
        )
    if status in (409, 412):
        return HubConflict(
            f"someone else changed the repository{said}",
            safe="Nothing was committed.",
            remedy="Run the same command again",
        )
    if status == 400:
        return InputError(f"{address} refuses this{said}")
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else None
        later = f"in {seconds} seconds" if seconds is not None else "later"
        return ClientFailure(
            f"{address} wants fewer requests",
            remedy=f"Run the same command again {later}",
            refused=True,
            wait_seconds=seconds,
        )
    if status == 507:
        return _refused(f"{address} has no room{said}", "Make room there, then run the same command again")
    if status >= 500:
        return ClientFailure(f"{address} failed with {status}{said}", remedy=_AGAIN, refused=False)
    return _refused(f"{address} answered {status}{said}", "Check the address")


def _refused(what: str, remedy: str) -> ClientFailure:
    return ClientFailure(what, remedy=remedy, refused=True)


def _line(text: str) -> str:
    """The first line of a foreign text, short, without the token should it be there."""
    from huggingface_hub import get_token

    line = next((part.strip() for part in text.splitlines() if part.strip()), "")[:300]
    token = get_token()
    line = trusted.without_secrets(line)
    return line.replace(token, "...") if token else line
