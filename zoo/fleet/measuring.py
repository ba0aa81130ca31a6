"""Measure a release's files on a board with ``pi-zoo bench``, through ssh.

The board measures as a job that continues without us. After a lost connection, or when this program was stopped, the
same job is asked for again, so nothing is measured twice. The id of an unfinished job is in ``WORK/fleet``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from zoo.errors import AGAIN, ZooError
from zoo.files.whole import write_atomic
from zoo.fleet import ssh
from zoo.fleet.ssh import Board, Ended

LOST_SECONDS = 900.0
"""How long a lost board is tried again: one that restarts needs two minutes, a changed network some more."""
PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between two tries; the last one repeats."""
CONNECTED_SECONDS = 60.0
"""A try that lasted longer had a connection: ssh gives up earlier."""
PROGRAM = "pi-zoo"

Heard = Callable[[str], None]
"""A line of progress for people."""


@dataclass(frozen=True)
class Job:
    """What is measured. spec: ``NAME@VERSION:TYPE``; options: of ``pi-zoo bench``, such as ``("--samples", "5")``."""

    spec: str
    by: str
    options: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The command for the board, without the id of the job."""
        return (PROGRAM, "bench", self.spec, "--json", "--log", "json", "--by", self.by, *self.options)


def reach(board: Board, heard: Heard) -> str:
    """The version of pi-zoo on the board. Raises ZooError if the board cannot be reached, or has none."""
    ended = ssh.run(board, (PROGRAM, "--version"), heard)
    if ended.code == ssh.ABSENT:
        raise ZooError(
            f"{board.words} has no {PROGRAM}", safe="Nothing was installed or changed there.",
            remedy=f"Install the package there, as the guide Set up a Raspberry Pi says. See: ssh {board.words}",
        )  # fmt: skip
    if ended.code:
        raise _unreached(board, ended)
    return ended.answer.decode("utf-8", "replace").strip()[:80]


def _unreached(board: Board, ended: Ended) -> ZooError:
    return ZooError(
        f"{board.words} cannot be reached: {ended.last[:300] or f'ssh ended with code {ended.code}'}",
        safe="Nothing was measured.",
        remedy=f"See what ssh says: ssh {'-p ' + str(board.port) + ' ' if board.port else ''}"
        f"{board.user + '@' if board.user else ''}{board.host}",
    )


def pull(board: Board, specs: Iterable[str], site: str, heard: Heard) -> None:
    """Let the board download the files that it does not have. site: address of the catalog; "": the one it knows."""
    for spec in specs:
        words = (PROGRAM, "pull", spec, *(("--from", site) if site else ()))
        ended = _persist(board, words, heard)
        if ended.code:
            raise ZooError(f"{board.words} could not download {spec}: {ended.last[:300]}", again=AGAIN)


def measure(board: Board, job: Job, kept: Path, heard: Heard) -> dict[str, object]:
    """The report of one file. kept: folder of unfinished jobs. Raises ZooError."""
    place = _place(kept, board, job)
    words = (*job.words, "--job", _id(place, job))
    ended = _persist(board, words, lambda line: heard(_said(line)))
    if ended.code:
        place.unlink(missing_ok=True)
        raise ZooError(
            _said(ended.last)[:300].rstrip(".") or f"{PROGRAM} ended with code {ended.code}", where=board.words,
            safe="Reports of other files and boards are kept.", again=AGAIN,
        )  # fmt: skip
    try:
        report = jsontext.parse(ended.answer)
        if not isinstance(report, dict):
            raise jsontext.NotJson("it is not an object")
    except jsontext.NotJson as error:
        place.unlink(missing_ok=True)
        raise ZooError(f"{board.words} answered with something that is not a report: {error.what}") from error
    if report.get("measured_by") != job.by:
        place.unlink(missing_ok=True)
        raise ZooError(
            f"{board.words} answered with a report of {str(report.get('measured_by'))[:80]!r}, not of {job.by!r}",
            safe="Nothing of it was kept.",
        )
    return dict(report)


def fetched(board: Board, job: Job, kept: Path) -> None:
    """The report is safe here: the next measurement of this file is a new one."""
    _place(kept, board, job).unlink(missing_ok=True)


def _place(kept: Path, board: Board, job: Job) -> Path:
    return kept / f"{hashlib.sha256(f'{board.words} {job.spec}'.encode()).hexdigest()[:16]}.json"


def _id(place: Path, job: Job) -> str:
    """The id of the unfinished job with these words, else a new one, which is on the disk before it is used."""
    with suppress(OSError, ValueError):
        known = jsontext.parse(place.read_bytes())
        if isinstance(known, dict) and known.get("words") == list(job.words):
            return str(known["id"])
    made = f"zoo-{secrets.token_hex(8)}"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(place, json.dumps({"id": made, "words": job.words}) + "\n")
    return made


def _persist(board: Board, words: Sequence[str], heard: Heard) -> Ended:
    """The command until it ended by itself; a lost connection is tried again. Raises ZooError.

    A command that is asked for again repeats its lines; those that were heard are left out.
    """
    known, lost_at, pauses = 0, None, iter(PAUSES_SECONDS)
    while True:
        lines = _New(known, heard)
        began = time.monotonic()
        ended = ssh.run(board, words, lines.take)
        now = time.monotonic()
        if ended.code != ssh.OWN_FAILURE:
            return ended
        known = lines.known
        if lost_at is None or now - began > CONNECTED_SECONDS:
            lost_at, pauses = now, iter(PAUSES_SECONDS)
        if now - lost_at > LOST_SECONDS:
            raise ZooError(
                f"{board.words} has been away for {LOST_SECONDS / 60:.0f} minutes: {ended.last[:200]}",
                safe="The board continues if it has power.", again=AGAIN,
            )  # fmt: skip
        pause = next(pauses, PAUSES_SECONDS[-1])
        heard(f"the connection was lost; the board continues; next try in {pause:.0f} s")
        time.sleep(pause)


class _New:
    """Hands on the events of a job that were not heard before. known: how many there were."""

    def __init__(self, known: int, heard: Heard) -> None:
        self.known, self._heard, self._count = known, heard, 0

    def take(self, line: str) -> None:
        is_event = line.startswith("{")
        self._count += is_event
        if not is_event or self._count > self.known:
            self._heard(line)
        self.known = max(self.known, self._count)


def _said(line: str) -> str:
    """The words of a progress event; other lines as they are."""
    with suppress(ValueError, KeyError):
        event = jsontext.parse(line)
        if isinstance(event, dict) and event["event"] == "progress":
            return str(event["text"])
    return line
