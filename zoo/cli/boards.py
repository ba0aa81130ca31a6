"""zoo bench run"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click

from catalog import shell
from catalog.words import counted, rate
from zoo import catalogfile
from zoo.cli.common import Call, name_and_version, options
from zoo.errors import InputError, ZooError
from zoo.fleet import bringing, measuring, ssh
from zoo.fleet.bringing import Brought, Measured
from zoo.fleet.ssh import Board
from zoo.progress import carried
from zoo.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """The end for one file on one board. words: why there is no report, or why the run is not valid."""

    board: str
    spec: str
    brought: Brought | None
    words: str

    @property
    def is_good(self) -> bool:
        return self.brought is not None and self.brought.valid


@click.command(short_help="Measure a release on boards, through ssh.")
@options("catalog", "evidence", "work")
@click.option(
    "--on", "addresses", multiple=True, required=True, metavar="ssh://USER@HOST",
    help="A board with pi-zoo. May be given several times.",
)  # fmt: skip
@click.option("--by", required=True, metavar="NAME", help="Who measures. It is published with the report.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only files of this type. [default: all]")
@click.option("--pull", "pulls", is_flag=True, help="Let the boards download the files that they do not have.")
@click.option("--short", is_flag=True, help="Without the prompt of 4096 tokens and the chat turn.")
@click.option(
    "--samples", type=click.IntRange(1), default=5, show_default=True, metavar="N",
    help="Counted runs. A report with fewer than 5 is not valid.",
)  # fmt: skip
@click.argument("name")
def run(
    call: Call, name: str, addresses: tuple[str, ...], by: str, types: tuple[str, ...], pulls: bool, **more: int
) -> int:
    """Measure the files of NAME or NAME@VERSION on boards with pi-zoo bench, and bring the reports back.

    Nothing is installed on a board, and without --pull nothing is downloaded there. Boards work at the same time. If a
    connection ends, the board continues, and the same command fetches the result.
    """
    boards = list({one.words: one for one in map(ssh.board, addresses)}.values())
    if not (by.strip() and len(by) <= 80 and by.isprintable()):
        raise InputError("--by must have 1 to 80 printable characters", remedy="Write for example: --by Ada")
    files = _files(call.settings, name, types)
    choices = ("--samples", str(more["samples"]), *(("--short",) if more["short"] else ()))
    for board in boards:
        # Before any board begins: a wrong address is a mistake of this command line.
        version = measuring.reach(board, call.output.say)
        call.output.say(f"{board.words}: {version}, {counted(len(files), 'file')} to measure")
    work = _Work(call, by.strip(), choices, pulls, threading.Lock())
    with ThreadPoolExecutor(len(boards)) as pool:
        jobs = [pool.submit(carried(work.board), board, files) for board in boards]
        done = [outcome for job in jobs for outcome in job.result()]
    _answer(call, done, pulls)
    return 0 if all(one.is_good for one in done) else 1


def _files(settings: Settings, text: str, types: tuple[str, ...]) -> list[Measured]:
    name, version = name_and_version(text)
    catalog = catalogfile.read(settings)
    _, release = catalogfile.find(catalog, name, settings.root, version)
    known = [file.type for file in release.files]
    if unknown := [one for one in types if one not in known]:
        raise InputError(
            f"{name} {release.version} has no file of type {unknown[0]}", remedy=f"Available: {', '.join(known)}"
        )
    drafts = settings.work / "fleet"
    return [
        Measured(name, release, file, settings.evidence, drafts)
        for file in release.files if not types or file.type in types
    ]  # fmt: skip


@dataclass(frozen=True)
class _Work:
    """What all boards share. writing: only one of them writes into the evidence at a time."""

    call: Call
    by: str
    options: tuple[str, ...]
    pulls: bool
    writing: threading.Lock

    def board(self, board: Board, files: Sequence[Measured]) -> list[Outcome]:
        return [self._file(board, one) for one in files]

    def _file(self, board: Board, one: Measured) -> Outcome:
        def heard(line: str) -> None:
            self.call.output.say(f"{board.words}, {one.file.type}: {line}")

        job = measuring.Job(one.spec, self.by, self.options)
        try:
            if self.pulls:
                measuring.pull(board, [one.spec], self.call.settings.site_url, heard)
            report = measuring.measure(board, job, one.drafts, heard)
            with self.writing:
                brought = bringing.keep(report, one)
        except ZooError as error:
            return Outcome(board.words, one.spec, None, error.what)
        except OSError as error:
            return Outcome(board.words, one.spec, None, f"the report cannot be written: {error.strerror}")
        measuring.fetched(board, job, one.drafts)
        if isinstance(brought, list):
            return Outcome(board.words, one.spec, None, "; ".join(f"{found}" for found in brought))
        return Outcome(board.words, one.spec, brought, "; ".join(brought.reasons))


def _answer(call: Call, done: Sequence[Outcome], pulls: bool) -> None:
    settings = call.settings
    rows, data, lines = [], [], []
    for one in done:
        found = one.brought
        speeds = (rate(found.decode), rate(found.prompt)) if found else ("", "")
        state = "valid" if one.is_good else "not valid" if found else "failed"
        where = settings.shown(found.path) if found else ""
        rows.append((one.board, one.spec, *speeds, state))
        lines.append(f"{one.spec.rpartition(':')[2]} on {one.board}: {one.words or where}")
        data.append({
            "board": one.board, "file": one.spec, "state": state, "why": one.words or None, "path": where or None,
            "decode_tokens_per_second": found.decode if found else None,
            "prompt_tokens_per_second": found.prompt if found else None,
        })  # fmt: skip
    if not pulls and any(one.brought is None for one in done):
        lines.append("With --pull, boards download the files that they do not have.")
    if any(one.is_good for one in done):
        name = done[0].spec.partition("@")[0]
        evidence = shell.argument(settings.shown(settings.evidence))
        lines.append(f"See them with: zoo bench history {name}\nCommit them with: git add {evidence}")
    columns = ("board", "file", "#decode t/s", "#prompt t/s", "state")
    call.output.table({"measured": data}, "measured", columns, rows, "\n".join(lines))
