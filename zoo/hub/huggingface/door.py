"""The door to one hub: its address, and whether the user's token may pass.

The official client takes a token from its environment and sends it to the address that it is given. So a client is only
made here. Every request of it says for which hub its token is, and ``session`` removes the token from all others.
"""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import addresses, extras
from zoo.hub.huggingface import trusted
from zoo.hub.huggingface.asked import Asked
from zoo.hub.huggingface.contact import Contact
from zoo.hub.huggingface.session import BOUND, tune
from zoo.progress import murmur

if TYPE_CHECKING:
    from huggingface_hub import HfApi

@dataclass(frozen=True)
class Door:
    """named: the user named this hub, by flag, environment or the official login, or approved it for this zoo. A hub
    that only data names, such as a catalog, gets no token, and neither does one that others on the way could listen to.
    in_settings: only zoo.toml names it. quick: it is only read, see ``contact``. in_zoo: it can be approved.
    """

    address: str
    named: bool
    in_settings: bool = False
    quick: bool = False
    in_zoo: bool = False
    contact: Contact = field(init=False, compare=False, repr=False)
    _told: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)
    _no_xet: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "contact", Contact(self.address, self.quick))

    def has_xet(self) -> bool:
        """Whether xet storage is tried: only https hubs have it, and after one failure it is not tried again."""
        return self.address.startswith("https://") and not self._no_xet.is_set()

    def leave_xet(self, why: str) -> None:
        """Xet storage failed: this is reported once, and large files use LFS for the rest of this run."""
        if not self._no_xet.is_set():
            self._no_xet.set()
            murmur(
                f"the xet storage of {self.address} failed ({why}). Large files use LFS for the rest of this run."
                " To use LFS from the start: export HF_HUB_DISABLE_XET=1"
            )

    def may_send_token(self) -> bool:
        """Whether the user's token may be sent to this hub. If not, this is reported once, unless there is no token."""
        closed = self._closed()
        if closed and not self._told.is_set() and _has_token():
            self._told.set()
            murmur(f"your token is not sent to {self.address}, because {closed}")
        return not closed

    def _closed(self) -> str:
        """Why no token may be sent, and what to do; empty if it may."""
        if not addresses.is_private_way(self.address):
            return "it uses plain http, which others on the network can read. Use https, or a tunnel to this machine"
        if self.named:
            return ""
        who = "zoo.toml" if self.in_settings else "the catalog"
        how = f"run: {self.approval()}" if self.in_zoo else f"add --hub {self.address}"
        return f"only {who} names this address, and you have not approved it. If you trust it, {how}"

    def approval(self) -> str:
        """The command that lets the user's token be sent to this hub; empty if it may be sent, or never can be."""
        is_open = self.named or not self.in_zoo or not addresses.is_private_way(self.address)
        return "" if is_open else f"zoo hub trust {self.address}"

    def withheld(self) -> str:
        """Why the user's token is not sent to this hub, and what to do; empty if it is, or if there is none."""
        closed = self._closed()
        return f"Your token is not sent to {self.address}, because {closed}" if closed and _has_token() else ""

    def api(self, kind: str = "", identity: str = "") -> HfApi:
        """The official client, with the token for a repository if one is named. Raises MissingExtra, and RemoteError if
        a hub that is only read is away."""
        self.contact.check()
        _required()
        library = extras.load("huggingface_hub")
        tune()
        # None: HF_TOKEN or the client's own store.
        token: str | bool | None = None if self.may_send_token() else False
        if identity and token is None:
            token = trusted.OF_THIS_JOB.token_for(self.address, kind, identity)
        bound = {BOUND: self.address} if token is not False else {}
        api: HfApi = library.HfApi(endpoint=self.address, token=token, headers=bound)
        # zoo check already checks cards; the client would ask a service, and its failure would look like a bad card.
        api._validate_yaml = lambda *_args, **_more: None  # type: ignore[method-assign]  # replaced on purpose
        return api

    def headers(self, kind: str = "", identity: str = "") -> dict[str, str]:
        """Headers of a request that is not one of the client's own; send them through its session only."""
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, lazy

        api = self.api(kind, identity)
        found: dict[str, str] = build_hf_headers(token=api.token, headers=api.headers)
        return found

    def asking(
        self, repository: str = "", revision: str = "", path: str = "", *, writing: bool = False
    ) -> Asked:
        """What is requested, with the origin of the token and what must not be shown."""
        token = _stored_token()
        secrets = tuple(secret for secret in (token, *trusted.OF_THIS_JOB.given_out()) if secret)
        sent = self.may_send_token()
        withheld = bool(self._closed()) and bool(token)
        approve = self.withheld()
        token_from = _token_from(token) if sent else ""
        return Asked(self.address, repository, revision, path, token_from, writing, secrets, withheld, approve)


@functools.cache
def _required() -> None:
    """Raises MissingExtra without the client. Looked up once: every request asks for it."""
    extras.require("A hub over HTTP", "huggingface-hub")


def _token_from(token: str | None) -> str:
    """Where the token that is sent comes from; empty if there is none."""
    if os.environ.get(trusted.SWITCH):
        return "this job's identity"
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token and os.environ.get(name, "").strip():
            return f"the environment variable {name}"
    return "the client's own store (hf auth login)" if token else ""


def _has_token() -> bool:
    return bool(_stored_token() or os.environ.get(trusted.SWITCH))


def _stored_token() -> str | None:
    try:
        from huggingface_hub import get_token
    except ImportError:
        return None
    return get_token()
