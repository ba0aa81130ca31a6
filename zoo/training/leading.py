"""Wait for the other machines of a training and tell them to begin, as ``meeting`` describes it."""

from __future__ import annotations

import secrets
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import zoo
from catalog import jsontext
from catalog.jsonvalues import table
from catalog.problems import show
from catalog.shapes import WrongShape
from catalog.words import counted
from zoo.addresses import is_loopback
from zoo.errors import AGAIN, InputError, ZooError
from zoo.progress import Reporter
from zoo.training import meeting
from zoo.training.meeting import LONGEST, Offer, Place, Start, tell

WAITED_SECONDS = 3600.0
"""For other machines, which may first have to be started."""
_ENOUGH = "enough machines have come already"


def lead(where: tuple[str, int], offer: Offer, report: Reporter, patience_seconds: float = WAITED_SECONDS) -> Place:
    """Wait for the other machines at ``where`` (host, port) and tell them to begin; the place of this one.

    Raises InputError if the port cannot be opened, ZooError if too few machines came.
    """
    missing = offer.machines - 1
    with _opened(where) as door, selectors.DefaultSelector() as eyes:
        eyes.register(door, selectors.EVENT_READ)
        report.say(
            f"Waiting for {counted(missing, 'more machine')}, at most {patience_seconds / 60:.0f} minutes. "
            f"Run there: zoo join {meeting.address(where)}"
        )
        guests = _Guests(offer, eyes, report)
        try:
            _gather(door, guests, time.monotonic() + patience_seconds)
            return guests.begin()
        finally:
            guests.leave()


def _gather(door: socket.socket, guests: _Guests, until: float) -> None:
    """Raises ZooError if fewer machines than wanted are ready in time."""
    while not guests.all_here():
        called_until = guests.call()
        left = (called_until or until) - time.monotonic()
        if left <= 0 and called_until:
            guests.forget_silent()
            continue
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
                line, came_from = door.accept()
                guests.greet(line, str(came_from[0]))
            else:
                guests.hear(key.data)


@dataclass(eq=False)
class _Guest:
    """A machine that has come. name: its address. asked: whether it knows what to take part in. here: whether it has
    answered since all were ready."""

    line: socket.socket
    name: str
    asked: bool = False
    here: bool = False
    heard: bytearray = field(default_factory=bytearray)


class _Guests:
    """The machines that have come, and what was said to each."""

    def __init__(self, offer: Offer, eyes: selectors.BaseSelector, report: Reporter) -> None:
        self.offer, self.eyes, self.report = offer, eyes, report
        self.present: list[_Guest] = []
        self.ready: list[_Guest] = []
        self._word = ""
        self._called_until: float | None = None

    def complete(self) -> bool:
        """Whether enough machines are ready."""
        return len(self.ready) >= self.offer.machines - 1

    def all_here(self) -> bool:
        """Whether enough machines are ready, and answered just now. One can be gone without a word: without power, or
        without its network."""
        return self.complete() and all(guest.here for guest in self.ready)

    def call(self) -> float | None:
        """Ask all whether they still are there, once as soon as enough are ready. When they must have answered, by
        ``time.monotonic``; None before."""
        if not self.complete():
            self._called_until = None
        elif self._called_until is None:
            self._called_until = time.monotonic() + meeting.ANSWERED_SECONDS
            self._word = secrets.token_hex(8)
            for guest in self.ready:
                guest.here = False
                tell(guest.line, call=self._word)
        return self._called_until

    def forget_silent(self) -> None:
        """Those that did not answer are gone."""
        for guest in [one for one in self.ready if not one.here]:
            self._forget(guest)

    def greet(self, line: socket.socket, name: str) -> None:
        """Somebody has connected. name: the address."""
        line.settimeout(meeting.ANSWERED_SECONDS)
        meeting.watched(line)
        guest = _Guest(line, name)
        self.present.append(guest)
        self.eyes.register(line, selectors.EVENT_READ, guest)

    def hear(self, guest: _Guest) -> None:
        """Read what a machine sends. One that is gone is forgotten, and so is another program."""
        try:
            got = guest.line.recv(LONGEST)
        except OSError:
            got = b""
        guest.heard += got
        if not got or len(guest.heard) > LONGEST:
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
                self._refuse(guest, f"that training needs zoo {zoo.__version__}, and here is {version}")
            else:
                guest.asked = True
                tell(guest.line, **asdict(self.offer))
        elif "fault" in told:
            self.report.say(f"The machine {guest.name} cannot take part: {show(told['fault'], 500)}")
            self._forget(guest)
        elif "here" in told:
            # An answer to an earlier call may come now.
            guest.here = guest.here or told["here"] == self._word
        elif told.get("ready") is True and guest.asked and guest not in self.ready:
            self._sit(guest)

    def _sit(self, guest: _Guest) -> None:
        if self.complete():
            self._refuse(guest, _ENOUGH)
            return
        self.ready.append(guest)
        self.report.say(f"The machine {guest.name} is ready: {len(self.ready) + 1} of {self.offer.machines}")

    def begin(self) -> Place:
        """Tell every machine its number and where the processes meet; the place of this one."""
        own, port = _shared([str(guest.line.getsockname()[0]) for guest in self.ready]), _free_port()
        for number, guest in enumerate(self.ready, start=1):
            tell(guest.line, **asdict(Start(number, port, own)))
        for guest in self.present:
            if guest not in self.ready:
                tell(guest.line, refused=_ENOUGH)
        return Place(0, self.offer.machines, self.offer.processes, own, port, own)

    def leave(self) -> None:
        """Close all connections."""
        self.ready.clear()
        for guest in list(self.present):
            self._forget(guest)

    def _refuse(self, guest: _Guest, why: str) -> None:
        tell(guest.line, refused=why)
        self._forget(guest)

    def _forget(self, guest: _Guest) -> None:
        if guest in self.ready:
            self.report.say(f"The machine {guest.name} is gone again")
            self.ready.remove(guest)
        self.eyes.unregister(guest.line)
        guest.line.close()
        self.present.remove(guest)


def _shared(found: Sequence[str]) -> str:
    """Of the addresses of this machine at which others have come, one that all can reach. A machine that has come from
    this one itself has found its loopback address."""
    return next((one for one in found if not is_loopback(one)), found[0])


@contextmanager
def _opened(where: tuple[str, int]) -> Iterator[socket.socket]:
    """The port, open on the address that the host name stands for. Raises InputError."""
    host, port = where
    try:
        family, *_, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.create_server((_bound(host, str(found[0])), port), family=family)
    except OSError as error:
        raise InputError(
            f"This machine cannot wait at {meeting.address(where)}: {error.strerror or error}",
            safe="Everything until the training is kept.",
            remedy="The setting meeting names this machine, as the others reach it, and a free port: HOST:PORT",
        ) from None
    with door:
        yield door


def _bound(host: str, found: str) -> str:
    """The address to listen on. Many systems take their own name for a loopback address, which others cannot reach:
    then any of this machine."""
    if not is_loopback(found) or host in (found, "localhost"):
        return found
    return ""


def _free_port() -> int:
    with socket.create_server(("", 0)) as found:
        return int(found.getsockname()[1])
