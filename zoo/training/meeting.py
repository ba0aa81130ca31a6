"""Where the machines of one training meet: the leading one opens a port, and the others ask there what to run.

A message is one line of JSON. A machine that comes sends its version of zoo. It gets the folder of the training, finds
out whether it can take part, and answers. When enough machines are ready, each gets its number, and torchrun continues
with a port of its own. Until then the connections stay open, so nobody waits for a machine that is gone.

Nobody is asked who they are, here as in torch's own connections: the network must be one of your own.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import IO, NoReturn, TypeVar

import zoo
from catalog import jsontext
from catalog.jsonvalues import table
from catalog.problems import show
from catalog.shapes import WrongShape, shaped
from catalog.words import counted
from zoo.errors import AGAIN, InputError, ZooError
from zoo.progress import Reporter

WAITED_SECONDS = 3600.0
"""For other machines, which may first have to be started."""
ANSWERED_SECONDS = 30.0
"""Within these a machine that leads answers."""
AGAIN_SECONDS = 2.0
"""Between two looks whether a training has begun to wait."""
_LONGEST = 65_536
"""Bytes of a line: a path and a few numbers."""
_UNKNOWN = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)}
"""Codes of a name that no one has. That the name cannot be looked up now is another one."""
_ENOUGH = "enough machines have come already"
_REFUSED_SAFE = "The training waits for another machine."
_Message = TypeVar("_Message")


@dataclass(frozen=True)
class Offer:
    """What a machine is asked to take part in. folder: of the handover, at the same path on every machine; sha256: of
    its files. device: of the training; processes: on each of the ``machines``."""

    folder: str
    sha256: str
    device: str
    processes: int
    machines: int


@dataclass(frozen=True)
class Place:
    """The part of one machine in a training. number: from 0, which leads; processes: on each machine. address, port:
    where the processes find the leading machine. own: the address of this one on the way there."""

    number: int
    machines: int
    processes: int
    address: str
    port: int
    own: str

    @property
    def world(self) -> int:
        """Processes on all machines."""
        return self.machines * self.processes


def alone(processes: int) -> Place:
    """The place of a machine that trains without others. torchrun finds a free port."""
    return Place(0, 1, processes, "127.0.0.1", 0, "127.0.0.1")


def lead(meeting: tuple[str, int], offer: Offer, report: Reporter, patience_seconds: float = WAITED_SECONDS) -> Place:
    """Wait for the other machines at ``meeting`` (host, port) and tell them to begin; the place of this one.

    Raises InputError if the port cannot be opened, ZooError if too few machines came.
    """
    shown, missing = address(meeting), offer.machines - 1
    with _opened(meeting) as door, selectors.DefaultSelector() as eyes:
        eyes.register(door, selectors.EVENT_READ)
        report.say(
            f"Waiting for {counted(missing, 'more machine')}, at most {patience_seconds / 60:.0f} minutes. "
            f"Run there: zoo join {shown}"
        )
        guests = _Guests(offer, eyes, report)
        try:
            _gather(door, guests, time.monotonic() + patience_seconds)
            return guests.begin()
        finally:
            guests.leave()


def _gather(door: socket.socket, guests: _Guests, until: float) -> None:
    """Raises ZooError if fewer machines than wanted are ready in time."""
    while not guests.complete():
        left = until - time.monotonic()
        if left <= 0:
            came, wanted = len(guests.ready), guests.offer.machines - 1
            raise ZooError(
                f"Of {counted(wanted, 'other machine')}, {came or 'none'} came to train with this one",
                safe="Everything until the training is kept.",
                remedy="Run zoo join there at the same time, or lower the settings machines and processes",
                again=AGAIN,
            )
        for key, _ in guests.eyes.select(left):
            if key.fileobj is door:
                line, where = door.accept()
                guests.greet(line, str(where[0]))
            else:
                guests.hear(key.data)


@dataclass(eq=False)
class _Guest:
    """A machine that has come. name: its address. asked: whether it knows what to take part in."""

    line: socket.socket
    name: str
    asked: bool = False
    heard: bytearray = field(default_factory=bytearray)


class _Guests:
    """The machines that have come, and what was said to each."""

    def __init__(self, offer: Offer, eyes: selectors.BaseSelector, report: Reporter) -> None:
        self.offer, self.eyes, self.report = offer, eyes, report
        self.present: list[_Guest] = []
        self.ready: list[_Guest] = []

    def complete(self) -> bool:
        """Whether enough machines are ready."""
        return len(self.ready) >= self.offer.machines - 1

    def greet(self, line: socket.socket, name: str) -> None:
        """Somebody has connected. name: the address."""
        line.settimeout(ANSWERED_SECONDS)
        _watched(line)
        guest = _Guest(line, name)
        self.present.append(guest)
        self.eyes.register(line, selectors.EVENT_READ, guest)

    def hear(self, guest: _Guest) -> None:
        """Read what a machine sends. One that is gone is forgotten, and so is another program."""
        try:
            got = guest.line.recv(_LONGEST)
        except OSError:
            got = b""
        guest.heard += got
        if not got or len(guest.heard) > _LONGEST:
            if guest in self.ready:
                self.report.say(f"The machine {guest.name} is gone again")
            self._forget(guest)
        while guest in self.present and b"\n" in guest.heard:
            said, _, rest = bytes(guest.heard).partition(b"\n")
            guest.heard[:] = rest
            self._answer(guest, said)

    def _answer(self, guest: _Guest, said: bytes) -> None:
        try:
            told = table(jsontext.parse(said))
        except (ValueError, WrongShape):
            self._forget(guest)
            return
        if "zoo" in told:
            version = show(told["zoo"])
            if told["zoo"] != zoo.__version__:
                self.report.say(f"The machine {guest.name} cannot take part: it has zoo {version}")
                _tell(guest.line, refused=f"that training needs zoo {zoo.__version__}, and here is {version}")
                self._forget(guest)
            else:
                guest.asked = True
                _tell(guest.line, **asdict(self.offer))
        elif "fault" in told:
            self.report.say(f"The machine {guest.name} cannot take part: {show(told['fault'], 500)}")
            self._forget(guest)
        elif told.get("ready") is True and guest.asked and guest not in self.ready:
            self._sit(guest)

    def _sit(self, guest: _Guest) -> None:
        if self.complete():
            _tell(guest.line, refused=_ENOUGH)
            self._forget(guest)
            return
        self.ready.append(guest)
        self.report.say(f"The machine {guest.name} is ready: {len(self.ready) + 1} of {self.offer.machines}")

    def begin(self) -> Place:
        """Tell every machine its number and where the processes meet; the place of this one."""
        port = _free_port()
        for number, guest in enumerate(self.ready, start=1):
            _tell(guest.line, number=number, port=port)
        for guest in self.present:
            if guest not in self.ready:
                _tell(guest.line, refused=_ENOUGH)
        own = str(self.ready[0].line.getsockname()[0])
        return Place(0, self.offer.machines, self.offer.processes, own, port, own)

    def leave(self) -> None:
        """Close all connections."""
        for guest in list(self.present):
            self._forget(guest)

    def _forget(self, guest: _Guest) -> None:
        self.eyes.unregister(guest.line)
        guest.line.close()
        self.present.remove(guest)
        if guest in self.ready:
            self.ready.remove(guest)


def join(meeting: tuple[str, int], look: Callable[[Offer], str], report: Reporter) -> tuple[Offer, Place]:
    """Wait for a training at ``meeting``, and for its beginning; what it is, and the place of this machine.

    look: why this machine cannot take part, or "". Raises InputError for that, and for another program there; ZooError
    if the leading machine ends before the training begins.
    """
    with _reached(meeting, report) as line, line.makefile("rb") as lines:
        _tell(line, zoo=zoo.__version__)
        offer = _understood(_line(lines, meeting), Offer, meeting)
        if fault := look(offer):
            _tell(line, fault=fault)
            raise InputError(f"This machine cannot take part: {fault}", safe=_REFUSED_SAFE)
        _tell(line, ready=True)
        report.say(f"This machine is ready. Waiting for the others, {offer.machines} in all")
        line.settimeout(None)
        told = _line(lines, meeting)
        own, there = line.getsockname()[0], line.getpeername()[0]
    start = _understood(told, _Start, meeting)
    return offer, Place(start.number, offer.machines, offer.processes, str(there), start.port, str(own))


@dataclass(frozen=True)
class _Start:
    """The last word of the leading machine."""

    number: int
    port: int


def _understood(told: dict[str, object], kind: type[_Message], meeting: tuple[str, int]) -> _Message:
    if "refused" in told:
        raise InputError(f"This machine cannot take part: {told['refused']}", safe=_REFUSED_SAFE)
    try:
        return shaped(told, kind)
    except WrongShape:
        _foreign(meeting)


def _foreign(meeting: tuple[str, int]) -> NoReturn:
    raise InputError(
        f"What answers at {address(meeting)} is not a training of zoo",
        remedy="Take the address that zoo build or zoo release names",
    ) from None


def _line(lines: IO[bytes], meeting: tuple[str, int]) -> dict[str, object]:
    """The next message. Raises ZooError if the other machine is gone, InputError for another program."""
    try:
        said = lines.readline(_LONGEST + 1)
    except TimeoutError:
        _foreign(meeting)
    except OSError:
        said = b""
    if not said:
        raise ZooError(
            f"The training at {address(meeting)} ended before it began",
            remedy=f"See what was said there. Then run zoo join {address(meeting)} again",
        )
    try:
        return table(jsontext.parse(said))
    except (ValueError, WrongShape):
        _foreign(meeting)


def _tell(line: socket.socket, **message: object) -> None:
    """Send one message. A machine that no longer listens is noticed at the next reading."""
    try:
        line.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return


@contextmanager
def _reached(meeting: tuple[str, int], report: Reporter) -> Iterator[socket.socket]:
    """A connection to the leading machine, which may not be there yet."""
    told = ""
    while True:
        try:
            line = socket.create_connection(meeting, timeout=ANSWERED_SECONDS)
        except OSError as error:
            reason = str(error.strerror or error)
            if isinstance(error, socket.gaierror) and error.errno in _UNKNOWN:
                raise InputError(
                    f"no machine named {meeting[0]} is known here ({reason})",
                    remedy="Check the name, or write the IP address",
                ) from None
            if reason != told:
                report.say(f"No training waits at {address(meeting)} yet ({reason}). Looking again until one does")
                told = reason
            time.sleep(AGAIN_SECONDS)
            continue
        with line:
            _watched(line)
            yield line
        return


def _watched(line: socket.socket) -> None:
    """Let the system notice within minutes that the other machine is gone without a word."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)


@contextmanager
def _opened(meeting: tuple[str, int]) -> Iterator[socket.socket]:
    """The port, open on the address that the host name stands for. Raises InputError."""
    host, port = meeting
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.create_server((_bound(host, str(where[0])), port), family=family)
    except OSError as error:
        raise InputError(
            f"This machine cannot wait at {address(meeting)}: {error.strerror or error}",
            safe="Everything until the training is kept.",
            remedy="The setting meeting names this machine, as the others reach it, and a free port: HOST:PORT",
        ) from None
    with door:
        yield door


def _bound(host: str, found: str) -> str:
    """The address to listen on. Many systems take their own name for a loopback address, which others cannot reach:
    then any of this machine."""
    if not ip_address(found.partition("%")[0]).is_loopback or host in (found, "localhost"):
        return found
    return ""


def _free_port() -> int:
    with socket.create_server(("", 0)) as found:
        return int(found.getsockname()[1])


def address(meeting: tuple[str, int]) -> str:
    """The text that ``parse`` reads."""
    host, port = meeting
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
