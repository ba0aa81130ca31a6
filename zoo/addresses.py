"""Addresses from people, settings and other people's data: checked before use, never shown with a password. Pure.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from catalog.problems import show
from catalog.secrets import has_secret
from zoo.errors import InputError

_BARE = re.compile(r"\s*[/\\]{0,2}[^/\\@:\s]+:[^/\\@]*@")
"""A name and a password before a host, where the scheme was forgotten. A path with such a name begins with ./"""


def shown(address: str) -> str:
    """An address for people: without its query, which may be signed and works for anyone who has it."""
    before, mark, _ = address.partition("?")
    return f"{before}?..." if mark and "://" in before else address


def refuse_secret(text: str, where: str) -> None:
    """Raises InputError, which does not repeat it, for an address with a name or password."""
    if has_secret(text) or "@" in _authority(text) or _BARE.match(text):
        raise InputError(
            "an address must not contain a name or a password",
            where=where,
            safe="The address was not used.",
            remedy="Write it without them. Put the token of a hub into HF_TOKEN",
        )


def _authority(address: str) -> str:
    """What stands between the slashes, as programs read it: quotation marks, brackets and backslashes included. Of an
    http address, the slashes before it may be missing."""
    http = re.match(r"\s*https?:[/\\]*", address, re.IGNORECASE)
    rest = address[http.end() :] if http else address.partition("://")[2]
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def is_http(text: str) -> bool:
    """Whether a text is meant as an http address, in small letters or not, and not as a path."""
    return text[:8].casefold().startswith(("http://", "https://"))


def parse(address: str, where: str, *, query: bool = False) -> str:
    """An http address without a final slash, its scheme and host in small letters. Raises InputError, naming the place,
    for anything else.

    query: it may have one, as the address of a file may.
    """
    refuse_secret(address, where)
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if (
        not valid
        or not address.isprintable()
        or re.search(r"[ \\\"'<>]", address)
        or (not query and (parts.query or parts.fragment))
    ):
        raise InputError(
            f"{show(shown(address))} is not a valid http address",
            where=where,
            remedy="Write http://HOST:PORT or https://HOST",
        )
    address = urlunsplit(parts._replace(netloc=parts.netloc.lower()))
    return address if query else address.rstrip("/")


Origin = tuple[str, str, int]
"""Scheme, host and port."""


def origin(address: str) -> Origin:
    """Scheme, host and port of an address, which decide who may have a token. Raises ValueError for a broken port."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_same_place(one: str, other: str) -> bool:
    """Whether two addresses name the same server and path, also by different names of this machine."""
    if one == other or not (is_http(one) and is_http(other)):
        return one == other
    try:
        first, second = ((_canonical(text), urlsplit(text).path.rstrip("/")) for text in (one, other))
    except ValueError:
        return False  # a catalog may name what is not an address
    return first == second


def _canonical(address: str) -> Origin:
    scheme, host, port = origin(address)
    return scheme, "localhost" if is_loopback(host) else host.rstrip("."), port


def is_loopback(host: str) -> bool:
    """Whether a host, in lower case, is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost"


def is_private_way(address: str) -> bool:
    """Whether nobody on the way can read what is sent to ``address``."""
    parts = urlsplit(address)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def meeting(text: str) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``; None for anything else."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_bracketed = host != bare and host == f"[{bare}]"
    sound = bool(colon and bare) and (is_bracketed or ":" not in bare) and not set(bare) & set("[]/@* ")
    if not (sound and _is_name(bare) and port.isascii() and port.isdecimal() and len(port) <= 5):
        return None
    return (bare, int(port)) if 0 < int(port) < 65_536 else None


def _is_name(host: str) -> bool:
    """Whether a system can look the host up: a part of its name has 1 to 63 characters."""
    try:
        return host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        return False
