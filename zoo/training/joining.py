"""Take part in a training that another machine leads, on the same work folder. What is said is in ``meeting``."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, TypeVar

import zoo
from catalog import jsontext
from catalog.jsonvalues import table
from catalog.shapes import WrongShape, shaped
from zoo.addresses import is_loopback
from zoo.errors import InputError, ZooError
from zoo.progress import Reporter
from zoo.training import devices, handover, meeting
from zoo.training.meeting import ANSWERED_SECONDS, LONGEST, Offer, Place, Start, address, tell
from zoo.training.together import take_part

AGAIN_SECONDS = 2.0
"""Between two looks whether a training has begun to wait."""
STALE_SECONDS = 65.0
"""How long a shared folder may show what was in it before: NFS keeps that for 60 seconds at most, if its mount does not
set another time. Source: nfs(5), acdirmax."""
_UNKNOWN = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)}
"""Codes of a name that no one has. That the name cannot be looked up now is another one."""
_REFUSED_SAFE = "The training waits for another machine."
_Message = TypeVar("_Message")


def join(where: tuple[str, int], report: Reporter, began: Callable[[Offer, Place], None]) -> Place:
    """Wait for a training at ``where`` (host, port) and take part until it ends; this machine's place in it.

    Raises InputError if this machine cannot take part, ZooError if the training ends before its last step.
    """
    offer, place = arrive(where, lambda offer: _fault(offer, report), report)
    began(offer, place)
    take_part(Path(offer.folder), place, offer.threads)
    return place


def _fault(offer: Offer, report: Reporter, patience_seconds: float = STALE_SECONDS) -> str:
    """Why this machine cannot take part; "" if it can."""
    until, told = time.monotonic() + patience_seconds, False
    while (what := _unlike(offer)) and time.monotonic() < until:
        if not told:
            report.say(f"{what}. Looking again for {patience_seconds:.0f} seconds: a shared folder can be late")
            told = True
        time.sleep(AGAIN_SECONDS)
    if what:
        return f"{what}. The work folder must be shared, at the same path"
    try:
        # Else the others would wait for processes that cannot begin.
        with tempfile.TemporaryFile(dir=offer.folder):
            pass
    except OSError as error:
        return f"no files can be written in {offer.folder} ({error.strerror})"
    what, remedy = devices.fault(offer.device, offer.processes)
    return f"{what}: {remedy}" if what else ""


def _unlike(offer: Offer) -> str:
    """Why the folder is not the one that was offered, or not yet; "" if it is."""
    try:
        same = handover.digest(Path(offer.folder)) == offer.sha256
    except OSError as error:
        return f"{offer.folder} cannot be read ({error.strerror})"
    return "" if same else f"{offer.folder} has other files here than there"


def arrive(where: tuple[str, int], look: Callable[[Offer], str], report: Reporter) -> tuple[Offer, Place]:
    """Wait for a training at ``where``, and for its beginning; what it is, and the place of this machine.

    look: why this machine cannot take part, or "". Raises InputError for that, and for another program there; ZooError
    if the leading machine ends before the training begins.
    """
    with _reached(where, report) as line, line.makefile("rb") as lines:
        tell(line, zoo=zoo.__version__)
        offer = _understood(_line(lines, where), Offer, where)
        if fault := look(offer):
            tell(line, fault=fault)
            raise InputError(f"This machine cannot take part: {fault}", safe=_REFUSED_SAFE)
        tell(line, ready=True)
        report.say(f"This machine is ready. Waiting for the others, {offer.machines} in all")
        line.settimeout(None)
        while "call" in (told := _line(lines, where)):
            tell(line, here=told["call"])
        own, there = str(line.getsockname()[0]), str(line.getpeername()[0])
    start = _understood(told, Start, where)
    if is_loopback(own):
        # It is the leading machine, too, and others cannot reach this address.
        own = there = start.address
    return offer, Place(start.number, offer.machines, offer.processes, there, start.port, own)


def _understood(told: dict[str, object], kind: type[_Message], where: tuple[str, int]) -> _Message:
    if "refused" in told:
        raise InputError(f"This machine cannot take part: {told['refused']}", safe=_REFUSED_SAFE)
    try:
        return shaped(told, kind)
    except WrongShape:
        _foreign(where)


def _foreign(where: tuple[str, int]) -> NoReturn:
    raise InputError(
        f"What answers at {address(where)} is not a training of zoo",
        remedy="Take the address that zoo build or zoo release names",
    ) from None


def _line(lines: IO[bytes], where: tuple[str, int]) -> dict[str, object]:
    """The next message. Raises ZooError if the other machine is gone, InputError for another program."""
    try:
        said = lines.readline(LONGEST + 1)
    except TimeoutError:
        _foreign(where)
    except OSError:
        said = b""
    if not said:
        raise ZooError(
            f"The training at {address(where)} ended before it began",
            remedy=f"See what was said there. Then run zoo join {address(where)} again",
        )
    try:
        return table(jsontext.parse(said))
    except (ValueError, WrongShape):
        _foreign(where)


@contextmanager
def _reached(where: tuple[str, int], report: Reporter) -> Iterator[socket.socket]:
    """A connection to the leading machine, which may not be there yet."""
    told = ""
    while True:
        try:
            line = socket.create_connection(where, timeout=ANSWERED_SECONDS)
        except OSError as error:
            reason = str(error.strerror or error)
            if isinstance(error, socket.gaierror) and error.errno in _UNKNOWN:
                raise InputError(
                    f"no machine named {where[0]} is known here ({reason})",
                    remedy="Check the name, or write the IP address",
                ) from None
            if reason != told:
                report.say(f"No training waits at {address(where)} yet ({reason}). Looking again until one does")
                told = reason
            time.sleep(AGAIN_SECONDS)
            continue
        with line:
            meeting.watched(line)
            yield line
        return
