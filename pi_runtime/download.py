"""Bytes from an address to a file: resumed after a stop, and refused if they are not the ones that are expected.

Digests come from the catalog, so neither the server nor the connection needs to be trusted for the files.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from pi_runtime import VERSION
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.store import digest, make_folder
from pi_runtime.words import data_size

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECONDS = 60
"""A connection that sends nothing for so long is given up."""

TRIES = 5
BLOCK = 1 << 18
SPARE_BYTES = 100_000_000
"""Left free on the disk."""

SMALL_BYTES = 256 << 20
"""Longest document that is read into memory, such as a catalog."""


@dataclass(frozen=True)
class Expected:
    """What a file must be."""

    size_bytes: int
    sha256: str


class Gone(CouldNot):
    """The server has no such file."""


Progress = Callable[[int, int], None]
"""Receives the bytes that are there, and all."""


_SCHEME = r"\A\s*[A-Za-z][A-Za-z0-9+.-]*:[/\\]*"


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, even if it is not a valid one, and not as a path."""
    return "://" in text or text.lstrip().casefold().startswith(("http:", "https:"))


def checked(address: str) -> str:
    """The address. Raises InvalidArguments for anything but https, or http on this machine, and for a password."""
    if "@" in re.split(r"[/?#]", re.sub(_SCHEME, "", address), maxsplit=1)[0]:
        # It is not repeated, whatever stands before the sign: programs disagree about where a password ends.
        raise InvalidArguments("An address must not contain a name or a password. It was not used.")
    try:
        parts = urlsplit(address)
        host, valid = parts.hostname, parts.port != 0 and not re.search(r"[\x00-\x20\x7f\\\"'<>]", address)
    except ValueError:
        host, valid = None, False
    if valid and parts.scheme == "https" and host:
        return address
    if valid and parts.scheme == "http" and host in LOOPBACK:
        return address
    shown = "This" if "@" in address else address[:200]
    raise InvalidArguments(f"{shown} is not a https address. Plain http is used only on this machine.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows only to addresses that would be accepted in the first place."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        checked(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def document(address: str) -> bytes:
    """A small document. Raises CouldNot."""
    with _reported(address), _open(address, {}) as answer:
        text: bytes = answer.read(SMALL_BYTES + 1)
    if len(text) > SMALL_BYTES:
        raise CouldNot(f"{address} is larger than {data_size(SMALL_BYTES)}.")
    return text


def fetch(address: str, target: Path, expected: Expected, progress: Progress) -> None:
    """The file at ``target``, complete and with the expected digest. ``target.part`` has what came earlier.

    Raises CouldNot; what arrived so far stays, unless its digest is wrong.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        make_folder(target.parent)
        with part.open("ab") as file:
            _lock(file, target.name)
            _room(part, expected)
            _fill(address, file, expected, progress)
            file.flush()
            os.fsync(file.fileno())
            found = digest(part)
            if found != expected.sha256:
                part.unlink()
                raise CouldNot(
                    f"{address} sent other bytes than the catalog lists: the sha256 is {found}, not {expected.sha256}. "
                    "Nothing was kept. Tell the owner of the site."
                )
            part.chmod(0o644)
            part.replace(target)
    except OSError as error:
        raise CouldNot(f"{target} cannot be written: {error.strerror}.") from error


def _fill(address: str, file: IO[bytes], expected: Expected, progress: Progress) -> None:
    for attempt in range(1, TRIES + 1):
        if file.tell() > expected.size_bytes:
            file.truncate(0)
            file.seek(0)
        before = file.tell()
        try:
            with _reported(address):
                _append(address, file, expected, progress)
        except Gone:
            raise
        except CouldNot as error:
            have = f"{data_size(file.tell())} of {data_size(expected.size_bytes)} arrived"
            if attempt == TRIES or file.tell() == before:
                raise CouldNot(f"{error} {have}. Run the same command to continue.") from error
            time.sleep(attempt)
        if file.tell() == expected.size_bytes:
            return
    raise CouldNot(f"{address} closed the connection {TRIES} times. Run the same command to continue.")


def _append(address: str, file: IO[bytes], expected: Expected, progress: Progress) -> None:
    start = file.tell()
    if start == expected.size_bytes:
        return
    with _open(address, {"Range": f"bytes={start}-"} if start else {}) as answer:
        if start and answer.status != 206:
            file.truncate(0)
            file.seek(0)
        elif start and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
            raise CouldNot(f"{address} sent another part than was asked for.")
        while block := answer.read1(BLOCK):
            if file.tell() + len(block) > expected.size_bytes:
                raise CouldNot(f"{address} sends more than {data_size(expected.size_bytes)}.")
            file.write(block)
            progress(file.tell(), expected.size_bytes)


def _open(address: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(
        checked(address),
        headers={"User-Agent": f"pi-zoo/{VERSION}", "Accept-Encoding": "identity", **headers},
    )
    answer: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=SECONDS)
    return answer


@contextmanager
def _reported(address: str) -> Iterator[None]:
    """Errors of a connection as a sentence."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        kind = Gone if error.code in (404, 410) else CouldNot
        raise kind(f"{address} answered {error.code} {_shown(error.reason)}.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        # ValueError: an address to go to, or a length, that http.client and urllib cannot read.
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise CouldNot(f"{address} cannot be reached: {reason}.") from error


def _shown(reason: str) -> str:
    """A server's words without what could move a terminal's cursor."""
    return "".join(letter for letter in str(reason)[:80] if letter.isprintable())


def _lock(file: IO[bytes], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise CouldNot(f"Another pi-zoo downloads {name} now. Wait until it ends.") from error


def _room(part: Path, expected: Expected) -> None:
    missing = expected.size_bytes - part.stat().st_size
    free = shutil.disk_usage(part.parent).free
    if missing + SPARE_BYTES > free:
        raise CouldNot(
            f"The disk has {data_size(free)} free, and {data_size(missing + SPARE_BYTES)} are needed. "
            "Free some space: pi-zoo remove, or sudo apt clean"
        )
