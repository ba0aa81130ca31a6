"""How the official client's connections behave: bounded in time, and the token only for the right hub.

By default the client waits for ever for most answers, retries some requests for minutes, and sleeps as long as a hub
asks. Limits are set where every request passes: in the hooks of its HTTP library.

Reading: a step of a connection may take READ_SECONDS; writing, where a hub may have to check what was sent,
TIMEOUT_SECONDS. A request without a good answer is not retried later than AGAIN_SECONDS after the first try, except for
the contents of large files, whose progress is watched elsewhere.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.addresses import origin
from zoo.errors import RemoteError
from zoo.hub.huggingface import answers, contact, limits
from zoo.progress import murmur

if TYPE_CHECKING:
    # The library under the client; older versions of the client have another one, which is used alike.
    from httpx2 import Client, Request, Response

READ_SECONDS = 20.0
TIMEOUT_SECONDS = 60.0
AGAIN_SECONDS = 15.0

LONGEST_WAIT_SECONDS = 60
"""If a hub asks for a longer pause than this, it is reported instead."""


@dataclass
class _Bound:
    """since: when the first try of the current request began. last: the last bad answer. question: what the answers to
    all requests of the block cost."""

    since: float | None = None
    last: Response | None = None
    question: limits.Question = field(default_factory=limits.Question)


_bound: ContextVar[_Bound | None] = ContextVar("bound", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """Within the block, the client's own retries end. Only for requests of this thread."""
    before = _bound.set(_Bound())
    try:
        yield
    finally:
        _bound.reset(before)


@functools.cache
def tune() -> None:
    """Once per process, as the client has one factory for all connections: limits, and no other progress bars."""
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http, disable_progress_bars  # type: ignore[attr-defined]  # public, lazy

    def factory() -> Client:
        made = _http.default_client_factory()
        made.timeout = None  # _limit sets a timeout if nobody asked for one
        limits.guard(made)
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], _stay_secure, _keep_token, _limit],
            "response": [*hooks["response"], _look],
        }
        return made

    logger = logging.getLogger("huggingface_hub.utils._http")
    logger.removeFilter(_heard)
    logger.addFilter(_heard)
    # The client passes a file to httpx in a way that httpx calls outdated; users cannot act on it.
    warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
    # Else: an extra request that reports the calling program, and a list of installed packages in every header.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    set_client_factory(factory)
    disable_progress_bars()


def _limit(request: Request) -> None:
    """Timeouts for every step, and an end to retries."""
    usual = READ_SECONDS if request.method in ("GET", "HEAD") else TIMEOUT_SECONDS
    first = contact.is_awaited(str(request.url))
    usual = contact.FIRST_SECONDS if first else usual
    times = request.extensions.get("timeout")
    if not isinstance(times, dict) or all(step is None for step in times.values()):
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), usual)
    # Compressed answers may grow without a limit; see limits.
    request.headers["Accept-Encoding"] = "identity"
    bound = _bound.get()
    if bound is None:
        return
    bound.question.ask(request)
    if bound.since is None:
        bound.since = time.monotonic()
    elif time.monotonic() - bound.since > (contact.FIRST_SECONDS - 1 if first else AGAIN_SECONDS) and (
        request.method != "PUT"
    ):
        _raise(bound.last)
        raise TimeoutError("no answer")


def _look(response: Response) -> None:
    """Whether the request is answered; if the hub asks for a long wait, this is reported immediately."""
    contact.has_answered(str(response.url))
    bound = _bound.get()
    limits.watch(response, bound.question if bound else None)
    if bound is None:
        return
    bound.last = response if response.status_code >= 500 or response.status_code == 429 else None
    if bound.last is None:
        bound.since = None
        return
    headers = {name.lower(): value for name, value in response.headers.items()}
    if (answers.retry_after(headers, time.time()) or 0) > LONGEST_WAIT_SECONDS:
        response.read()
        _raise(response)


def _raise(response: Response | None) -> None:
    """Raises the client's error for a bad answer."""
    if response is not None:
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # public, lazy

        hf_raise_for_status(response)


BOUND = "X-Zoo-Token-For"
"""Header with the address that the token of a request is for. It stays in this process."""


def _keep_token(request: Request) -> None:
    """A token goes only to the scheme, host and port that it is bound to: not along a redirect, not to an address in an
    answer of the hub (where an upload is confirmed), not with a request that is not bound. A job's own identity service
    has its own token.
    """
    bound = request.headers.pop(BOUND, "") or request.extensions.get("zoo_bound", "")
    request.extensions["zoo_bound"] = bound  # the library copies it to the next request of a chain of redirects
    to = origin(str(request.url))
    identity = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    mine = origin(identity if identity and not bound else bound)
    if to != mine:
        request.headers.pop("Authorization", None)


def _stay_secure(request: Request) -> None:
    """A redirect never leads from https to an address without it, which others on the network could answer."""
    secure = str(request.extensions.get("zoo_secure", ""))  # the library copies it to the next request of a chain
    place = f"{request.url.scheme}://{request.url.netloc.decode('ascii', 'replace')}"
    if secure and request.url.scheme != "https":
        raise RemoteError(
            f"{secure} redirects to {place}, which others on the network could change",
            kind="refused", facts={"address": secure}, remedy="Check the address of the hub",
        )  # fmt: skip
    if request.url.scheme == "https":
        request.extensions["zoo_secure"] = place


def _heard(record: logging.LogRecord) -> bool:
    """The client's messages about retries, as ours; queries are removed, because those of uploads are signed."""
    if contact.is_any_awaited():
        return False  # it is reported once that the hub is away
    record.msg, record.args = re.sub(r"\?\S+", "?...", record.getMessage()), ()
    return not murmur(f"the Hub client: {record.msg}")
