"""How the official client is called: with which token, how often, and its errors converted to ours."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from zoo import extras
from zoo.addresses import Stranger
from zoo.errors import InputError, RemoteError, ZooError
from zoo.hub.huggingface import faults, trusted
from zoo.hub.huggingface.faults import Asked
from zoo.hub.huggingface.session import LONGEST_WAIT_SECONDS, allow_token, bounded, tune
from zoo.hub.interface import HubConflict
from zoo.progress import murmur

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PAUSES_SECONDS = (1.0, 3.0)
"""Pauses between tries of requests that the client itself tries only once: references, commits, tags, new
repositories."""

_Result = TypeVar("_Result")
_withheld: set[str] = set()


def client(address: str, kind: str = "", identity: str = "") -> HfApi:
    """The official client for ``address``, with the token for a repository if one is named. Raises MissingExtra."""
    extras.require("A hub over HTTP", "huggingface-hub")
    library = extras.load("huggingface_hub")
    tune()
    # None: HF_TOKEN or the client's own store.
    token: str | bool | None = None if may_have_token(address) else False
    if identity and token is None:
        token = trusted.OF_THIS_JOB.token_for(address, kind, identity)
    allow_token(address, allowed=token is not False)
    api: HfApi = library.HfApi(endpoint=address, token=token)
    # zoo check already checks cards; the client would ask a service, and its failure would look like a bad card.
    api._validate_yaml = lambda *_args, **_more: None  # type: ignore[method-assign]  # replaced on purpose
    return api


def patiently(ask: Callable[[], _Result], *, settled: Callable[[], _Result | None] = lambda: None) -> _Result:
    """The result of ``ask``, tried again after a fault of the network or the server.

    settled: checks whether a try whose answer was lost did its work anyway; called before every new try and at the end.
    Raises the last error of ``ask``.
    """
    for pause in (*PAUSES_SECONDS, None):
        try:
            return ask()
        except RemoteError as error:
            maybe_done, wait = error.kind in faults.MAYBE_DONE, error.wait_seconds or 0.0
            if maybe_done and (found := settled()) is not None:
                return found
            if pause is None or wait > LONGEST_WAIT_SECONDS or not (maybe_done or error.transient):
                raise
            murmur(f"{error.what}; trying again in {max(pause, wait):.0f} s")
            time.sleep(max(pause, wait))
    raise AssertionError("the last pause is None")


def asking(
    address: str, repository: str = "", revision: str = "", path: str = "", *, writing: bool = False
) -> Asked:
    """What is requested, with the origin of the token and what must not be shown."""
    try:
        from huggingface_hub import get_token
    except ImportError:
        return Asked(address, repository, revision, path, writing=writing)
    token = get_token()
    secrets = tuple(secret for secret in (token, *trusted.OF_THIS_JOB.given_out()) if secret)
    return Asked(address, repository, revision, path, _token_from(address, token), writing, secrets)


def _token_from(address: str, token: str | None) -> str:
    """Where the token that is sent to ``address`` comes from; empty if no token is sent."""
    if not may_have_token(address):
        return ""
    if os.environ.get(trusted.SWITCH):
        return "this job's identity"
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token and os.environ.get(name, "").strip():
            return f"the environment variable {name}"
    return "the client's own store (hf auth login)" if token else ""


def may_have_token(address: str) -> bool:
    """Whether the user's token may be sent to ``address``: the user named it, and nobody on the way can read the
    traffic."""
    if isinstance(address, Stranger):
        _say_withheld(address)
        return False
    return is_private_way(address)


def _say_withheld(address: str) -> None:
    """Report once per address that the user's token is not sent there."""
    from huggingface_hub import get_token

    if address not in _withheld and (get_token() or os.environ.get(trusted.SWITCH)):
        _withheld.add(address)
        murmur(
            f"your token is not sent to {address}, because the catalog names this address and you did not. "
            f"If you trust it, add --hub {address}"
        )


def is_private_way(address: str) -> bool:
    """Whether nobody on the way can read what is sent to ``address``."""
    parts = urlsplit(address)
    try:
        return parts.scheme == "https" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


class XetSwitch:
    """The client's only switch for its xet storage. The first user turns it off, the last one restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._before = 0, False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the block, large files use LFS in all threads: the client has no other way."""
        from huggingface_hub import constants

        with self._lock:
            if not self._users:
                self._before = constants.HF_HUB_DISABLE_XET
            self._users += 1
            constants.HF_HUB_DISABLE_XET = True
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                constants.HF_HUB_DISABLE_XET = self._before if not self._users else True


XET = XetSwitch()
"""Lives as long as the constant that it turns: one of the process."""


@contextmanager
def plain(address: str, repository: str = "", *, writing: bool = False) -> Iterator[None]:
    """Errors of the client, and of the HTTP library under it, as a ZooError; see ``faults``.

    Missing or invalid things become InputError, changes by someone else HubConflict. Within the block, no request waits
    for ever.
    """
    try:
        with bounded():
            yield
    except ZooError:
        raise
    except ImportError as error:
        raise extras.explain(error) or error from None
    except Exception as error:
        told = faults.of(error, asking(address, repository, writing=writing), time.time())
        if told is None:
            raise
        raise _by_kind(told, writing) from error


def _by_kind(told: ZooError, writing: bool) -> ZooError:
    kind = told.kind if isinstance(told, RemoteError) else ""
    if kind in ("not_found", "revision_not_found", "file_not_found", "invalid"):
        return InputError(told.what, remedy=told.remedy, again=told.again)
    if kind == "conflict":
        return HubConflict(told.what, safe="Nothing was committed.", remedy=told.remedy, again=told.again)
    if writing and not told.safe:
        told.safe = "No reference of the hub shows a half release."
    return told
