"""Who may read and write: tokens with roles, and signed addresses for uploads, which the client sends without one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from catalog import plainfiles, shell
from zoo.errors import InputError
from zoo.hub.server.wire import ApiError

UPLOAD_SECONDS = 24 * 3600
_LEAST = 16


@dataclass(frozen=True)
class Access:
    """``roles``: sha256 of a token -> ``read`` or ``write``. Without roles everybody can read, and write if allowed."""

    roles: Mapping[str, str] = field(default_factory=dict, repr=False)
    anonymous_write: bool = False

    def require(self, role: str, authorization: str) -> None:
        """Raises ApiError 401 or 403 unless the header's token has ``role``; writers may also read."""
        have = self.role(authorization)
        if not have:
            raise ApiError(401, "this hub requires a token")
        if role == "write" and have != "write":
            raise ApiError(403, "writing requires a token with the role write")

    def role(self, authorization: str) -> str:
        """``write``, ``read``, or an empty text if a token is missing. Raises ApiError 401 for a wrong one."""
        if not self.roles:
            return "write" if self.anonymous_write else "read"
        if not authorization:
            return ""
        scheme, _, token = authorization.partition(" ")
        by_browser = scheme.lower() == "basic"
        found = self.roles.get(_digest(_password(token) if by_browser else token.strip()))
        if found is None:
            raise ApiError(401, "Invalid credentials in Authorization header")
        # A browser adds them to every request by itself, also to one that another page asked for.
        return "read" if by_browser else found


def read_tokens(path: Path) -> dict[str, str]:
    """Roles by token digest, from a private file with lines ``ROLE TOKEN``. Raises InputError; never shows a token."""
    try:
        mode = path.stat().st_mode
        text = plainfiles.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        remedy = "Make a private file with lines: read TOKEN, or: write TOKEN"
        raise InputError(
            f"the token file cannot be read: {reason}", where=path.name, remedy=remedy
        ) from error
    if mode & 0o077:
        fix = f"chmod 600 {shell.argument(str(path))}"
        raise InputError("other users can read the token file", where=str(path), remedy=fix)
    roles = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] not in ("read", "write") or len(words[1]) < _LEAST:
            raise InputError(
                "this is not a role and a token",
                where=f"{path.name}:{number}",
                remedy=f"Write: read TOKEN, or: write TOKEN, with at least {_LEAST} characters",
            )
        roles[_digest(words[1])] = words[0]
    if not roles:
        raise InputError("the token file has no token", where=path.name)
    return roles


def _password(encoded: str) -> str:
    """The password of a browser's credentials, which is the token; the name before it does not matter."""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Signer:
    """Upload addresses that only this server can make, for one content each, for a day.

    They are valid for this process only, so a clock counts that nobody sets: an upload survives a correction of the
    time.
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)

    def query(self, oid: str, size: int) -> str:
        """The signed query of an upload address."""
        expires = int(time.monotonic()) + UPLOAD_SECONDS
        return urlencode({"size": size, "expires": expires, "signature": self._sign(oid, size, expires)})

    def check(self, oid: str, size: str, expires: str, signature: str) -> int:
        """The size in the signed address. Raises ApiError 403."""
        plain = all(text.isascii() and text.isdigit() and len(text) < 20 for text in (size, expires))
        if not plain or not hmac.compare_digest(
            self._sign(oid, int(size), int(expires)), signature.encode("ascii", "replace").decode()
        ):
            raise ApiError(403, "this upload address was not issued by this hub")
        if int(expires) < time.monotonic():
            raise ApiError(403, "this upload address has expired; start the upload again")
        return int(size)

    def _sign(self, oid: str, size: int, expires: int) -> str:
        return hmac.new(self._secret, f"{oid} {size} {expires}".encode(), hashlib.sha256).hexdigest()
