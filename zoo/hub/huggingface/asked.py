"""What was asked of a hub, and the parts of every error about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.errors import AGAIN, Again, RemoteError

Facts = Mapping[str, object]
_SIGNED = re.compile(r"\?[\w.-]+=\S+")
"""The query of an address; those of uploads are signed and work for anyone who has them."""


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


def failed(kind: str, what: str, facts: Facts, remedy: str, again: Again | None = None) -> RemoteError:
    """An error after which the same request is not tried again by itself."""
    return RemoteError(what, kind=kind, facts=facts, remedy=remedy, again=again)


def quoted(text: str, asked: Asked) -> str:
    """The hub's own words for the end of a sentence: short, without secrets; empty if there are none."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    for secret in asked.secrets:
        line = line.replace(secret, "...")
    line = _SIGNED.sub("?...", line)[:200]
    return f": {line}" if line else ""


def not_a_hub(asked: Asked) -> RemoteError:
    """Something else answered instead of the hub."""
    what = f"{asked.address} sent an answer that no hub sends. Is there a proxy in between?"
    return failed("proxy", what, {"address": asked.address, "repository": asked.repository},
                  "Check the address and the network (a sign-in page?)", AGAIN)  # fmt: skip
