"""How the official client is called: with timeouts, without its bars, and its errors told as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zoo.errors import InputError, MissingExtra, ZooError
from zoo.hub.interface import HubConflict

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TIMEOUT_SECONDS = 120.0
"""For one step of a connection, not for a whole transfer. The client by itself waits for ever."""

_AGAIN = "Run the same command again; it goes on from there"
_tuned = False


class ClientFailure(ZooError):
    """The hub could not be asked, or refused. ``refused``: it certainly did not do what was asked."""

    def __init__(self, what: str, *, remedy: str, refused: bool) -> None:
        super().__init__(what, remedy=remedy)
        self.refused = refused


def client(address: str) -> HfApi:
    """The official client for ``address``. Raises MissingExtra."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra("the Hub client is not installed", "hub") from None
    _tune()
    # None: HF_TOKEN or the client's own store.
    return HfApi(endpoint=address, token=None if is_private_way(address) else False)


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
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http
    from huggingface_hub.utils.tqdm import disable_progress_bars

    def factory() -> Any:
        made = _http.default_client_factory()
        made.timeout = TIMEOUT_SECONDS
        return made

    set_client_factory(factory)
    disable_progress_bars()
    _tuned = True


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
    if "OfflineModeIsEnabled" in names:
        return ClientFailure("the client is in offline mode", remedy="Unset HF_HUB_OFFLINE", refused=True)
    if "HFValidationError" in names:
        return InputError(_line(str(error)))
    if any(isinstance(cause, OSError) and cause.filename for cause in chain):
        return None
    if "JSONDecodeError" in names:
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
            "Set HF_TOKEN (it is sent over https and to this machine only)",
        )
    if status == 403:
        return _refused(f"{address} does not allow this{said}", "Use a token with the role write")
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
        seconds = f" in {wait} seconds" if wait.isdigit() else " later"
        return _refused(f"{address} wants fewer requests", f"Run the same command again{seconds}")
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
    return line.replace(token, "...") if token else line
