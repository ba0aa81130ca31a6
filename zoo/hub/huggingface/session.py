"""How the official client's connections behave: bounded in time, and with the token for nobody else.

The client by itself waits for ever for most answers, tries some requests again for minutes, and sleeps as long as a hub
asks it to. Bounds are set where every request passes: in the hooks of its HTTP library.

Reading: a step of a connection may take READ_SECONDS; writing, where a hub may have to look through what was sent,
TIMEOUT_SECONDS. A request that is not answered well is not begun again later than AGAIN_SECONDS after the first try,
but for the contents of large files, whose progress is watched elsewhere.
"""

from __future__ import annotations

import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from zoo.addresses import origin
from zoo.hub.huggingface import faults
from zoo.progress import murmur

READ_SECONDS = 20.0
TIMEOUT_SECONDS = 60.0
AGAIN_SECONDS = 15.0

LONGEST_WAIT_SECONDS = 60
"""A hub that asks for a longer pause than this is told of instead of waited for."""


@dataclass
class _Bound:
    """since: when the first try of the request that is still not answered well began. last: the last bad answer."""

    since: float | None = None
    last: Any = None


_bound: ContextVar[_Bound | None] = ContextVar("bound", default=None)
_tuned = False


@contextmanager
def bounded() -> Iterator[None]:
    """The client's own tries of a request come to an end meanwhile. Only for requests of this thread."""
    before = _bound.set(_Bound())
    try:
        yield
    finally:
        _bound.reset(before)


def tune() -> None:
    """Once per process: bounds, and no bars beside ours."""
    global _tuned
    if _tuned:
        return
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http
    from huggingface_hub.utils.tqdm import disable_progress_bars

    def factory() -> Any:
        made = _http.default_client_factory()
        made.timeout = None  # where nobody asked for a time, _limit sets one
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], _keep_token, _limit],
            "response": [*hooks["response"], _note_redirect, _look],
        }
        return made

    logger = logging.getLogger("huggingface_hub.utils._http")
    logger.removeFilter(_heard)
    logger.addFilter(_heard)
    # The client hands a file to httpx in a way that one calls outdated; nobody can act on it here.
    warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
    # A request of its own to find out which program calls it, and a list of what is installed in every header.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    set_client_factory(factory)
    disable_progress_bars()
    _tuned = True


def _limit(request: Any) -> None:
    """Times for every step, and an end to tries."""
    usual = READ_SECONDS if request.method in ("GET", "HEAD") else TIMEOUT_SECONDS
    if not any(step is not None for step in (request.extensions.get("timeout") or {}).values()):
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), usual)
    bound = _bound.get()
    if bound is None:
        return
    if bound.since is None:
        bound.since = time.monotonic()
    elif time.monotonic() - bound.since > AGAIN_SECONDS and request.method != "PUT":
        _raise(bound.last)
        raise TimeoutError("no answer")


def _look(response: Any) -> None:
    """Whether the request is answered; a long wait that the hub asks for is told at once."""
    bound = _bound.get()
    if bound is None:
        return
    bound.last = response if response.status_code >= 500 or response.status_code == 429 else None
    if bound.last is None:
        bound.since = None
        return
    headers = {name.lower(): value for name, value in response.headers.items()}
    if (faults.retry_after(headers, time.time()) or 0) > LONGEST_WAIT_SECONDS:
        response.read()
        _raise(response)


def _raise(response: Any) -> None:
    """Raises the client's error of a bad answer."""
    if response is not None:
        from huggingface_hub.utils._http import hf_raise_for_status

        hf_raise_for_status(response)


def _note_redirect(response: Any) -> None:
    """Where the first request of a chain of redirects went."""
    if 300 <= response.status_code < 400:
        response.request.extensions.setdefault("zoo_origin", origin(str(response.request.url)))


_allowed: set[tuple[str, str, int]] = set()
"""Who may have the token: hubs that the user named and that were asked for something."""


def allow_token(address: str, *, allowed: bool) -> None:
    """From now on the user's token may, or may not, be sent to this scheme, host and port."""
    (_allowed.add if allowed else _allowed.discard)(origin(address))


def _keep_token(request: Any) -> None:
    """No token for whom nobody named: a redirect, an address in an answer of the hub (where an upload is confirmed),
    another port of the same machine. A job's own identity service has a token of its own.
    """
    to = origin(str(request.url))
    first = request.extensions.get("zoo_origin")
    identity = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    at_home = to in _allowed and first in (None, to)
    if not at_home and not (identity and to == origin(identity)):
        request.headers.pop("Authorization", None)


def _heard(record: logging.LogRecord) -> bool:
    """What the client says of its tries, told as ours; queries are left out, since those of uploads are signed."""
    record.msg, record.args = re.sub(r"\?\S+", "?...", record.getMessage()), ()
    return not murmur(f"the Hub client: {record.msg}")
