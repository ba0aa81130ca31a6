"""``pi-zoo bench``: measure a file, write the report, answer.

A model on this board, or a file, is measured through llama-server; a file with ``--engine`` by that program, as the
stage ``benchmark`` of the zoo does it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from pi_runtime import bench as single
from pi_runtime import board as boards
from pi_runtime import boardbench, keeping, llamabench, profiles, remembering, report, store, talking
from pi_runtime.asking import say, warn
from pi_runtime.boardbench import Job
from pi_runtime.engine import command_of
from pi_runtime.sampling import Progress
from pi_runtime.settings import CouldNot, InvalidArguments, Settings
from pi_runtime.shape import BoardPart, BoardReport, Report, Shared

SHARED = "site/evidence/{name}/{version}/reports"
"""Where the repository of a zoo has the reports that people share."""

BOARD_PROMPT, BOARD_DECODE = 512, 128

UNKNOWN_CONTEXT = 1 << 20
"""For a file that no catalog lists: llama-server shortens the context to the model's own."""


def bench(arguments: argparse.Namespace) -> None:
    """Run the cheap checks, measure, write the report, answer. Raises CouldNot, InvalidArguments."""
    engine = _engine(arguments)
    settings = _settings(arguments, engine is None)
    name = _by(arguments)
    heard = _event if arguments.log == "json" else lambda line, _: warn(line)
    if arguments.out is not None and not arguments.dry_run:
        report.check_folder(arguments.out)
    part: BoardPart | None = None
    result: Report
    if engine is None:
        measured = _through_server(arguments, settings, heard)
        result, part = measured, measured["board"]
    else:
        path = Path(arguments.name)
        single.check_file(path)
        result = single.measure(path, settings, engine, heard)
    if name is not None:
        shared: Shared = {**result, "measured_by": name}
        result = shared
    if arguments.out is not None and not arguments.dry_run:
        for written in report.write(result, arguments.out):
            warn(f"wrote {written}")
    say((report.to_json(result) if arguments.json else report.to_summary(result, part)).removesuffix("\n"))
    if not _is_file(arguments.name):
        for line in remembering.keep(result, store.find(arguments.name)):
            warn(line) if arguments.json else say(line)
    if arguments.share:
        share(arguments, result, name or "")


def _is_file(name: str) -> bool:
    return name.endswith(".gguf") or "/" in name


def _engine(arguments: argparse.Namespace) -> list[str] | None:
    """The words of ``--engine``; None for llama-server. Raises InvalidArguments for what only llama-server does."""
    if arguments.engine is None:
        return None
    given = {"--meter": arguments.meter, "--compare": arguments.compare, "--short": arguments.short,
             "--cold": arguments.cold}  # fmt: skip
    for option in (name for name, value in given.items() if value):
        raise InvalidArguments(f"{option} is for measurements through llama-server: leave out --engine or {option}.")
    if not _is_file(arguments.name):
        raise InvalidArguments("--engine measures a file: name its path, such as ./model.gguf.")
    return command_of(arguments.engine)


def _settings(arguments: argparse.Namespace, through_server: bool) -> Settings:
    usual = Settings()
    prompt, decode = (
        (BOARD_PROMPT, BOARD_DECODE) if through_server else (usual.prompt_tokens, usual.decode_tokens)
    )
    settings = Settings(
        prompt_tokens=prompt if arguments.prompt_tokens is None else arguments.prompt_tokens,
        decode_tokens=decode if arguments.decode_tokens is None else arguments.decode_tokens,
        samples=arguments.samples,
        threads=arguments.threads,
        context_tokens=arguments.context,
        device_label=arguments.device,
    )
    settings.check()
    return settings


def _by(arguments: argparse.Namespace) -> str | None:
    name: str | None = arguments.by
    if name is not None and not (name.strip() and len(name) <= 80 and name.isprintable()):
        raise InvalidArguments("--by must have 1 to 80 printable characters, for example 'Ada'.")
    if arguments.share and name is None:
        raise InvalidArguments(
            "A report that is shared names who measured: add --by with your name or a nickname."
        )
    if arguments.share and _is_file(arguments.name):
        raise InvalidArguments(
            "--share needs a model of the catalog: pi-zoo pull NAME, then pi-zoo bench NAME --share."
        )
    if arguments.dry_run and not arguments.share:
        raise InvalidArguments("--dry-run shows what --share would write: add --share.")
    return None if name is None else name.strip()


def _through_server(arguments: argparse.Namespace, settings: Settings, heard: Progress) -> BoardReport:
    """On the board whose profile --device names, else on this one; the label of the report is that profile."""
    if arguments.device and arguments.device not in {one.id for one in profiles.profiles()}:
        arguments.device = None
    board, model = boards.of(arguments), talking.model_of(arguments)
    single.check_file(model.path)
    label = settings.device_label or (board.profile.id if board.profile.runtime.boards else None)
    kept = None if _is_file(arguments.name) else store.find(arguments.name)
    longest = keeping.context_of(kept) if kept else UNKNOWN_CONTEXT
    for more in (True, False) if not arguments.short else (False,):
        arguments.context = boardbench.context_of(settings, more, longest)
        plan = board.plan(arguments)
        need = keeping.need_of(kept, plan.context_tokens, plan.kv_type) if kept else None
        try:
            boards.check_memory(need, model.path.name, board, plan.context_tokens, arguments.force)
            boards.check_free_now(need, model.path.name, plan.context_tokens, arguments.force)
            break
        except CouldNot:
            # The long prompt needs a large cache: a small board measures the rest.
            if not more:
                raise
    job = Job(
        model,
        replace(settings, device_label=label),
        plan,
        board.profile.id,
        arguments.meter,
        not arguments.short,
        arguments.cold,
    )
    result = boardbench.measure(job, heard)
    if arguments.compare:
        asked = plan.bench([settings.prompt_tokens], settings.decode_tokens, settings.samples)
        for row in llamabench.measure(model.path, asked):
            heard(row.words, None)
    return result


def share(arguments: argparse.Namespace, result: Report, name: str) -> None:
    """Write the report where a pull request has it, or show it with --dry-run. Raises CouldNot for an invalid run."""
    kept = store.find(arguments.name)
    if result["file"]["sha256"] != kept.receipt.sha256:
        raise CouldNot(
            f"{kept.path} is not the file that the catalog lists, so nothing is shared. Run: pi-zoo verify"
        )
    if not result["valid"]:
        raise CouldNot(
            "The run is not valid, so a catalog would refuse it. Fix what the last lines say, and run it again."
        )
    folder = Path(arguments.out or ".") / SHARED.format(name=kept.receipt.name, version=kept.receipt.version)
    device = result["device"]["label"] or "board"
    path = folder / f"{plain(name) or 'somebody'}-{plain(device)}-{plain(kept.receipt.type)}.json"
    if arguments.dry_run:
        say(f"Nothing was written. With --share alone, {path} would be:\n{report.to_json(result)}")
        return
    if path.exists():
        raise CouldNot(f"{path} exists. Move it away, or choose another folder with --out.")
    store.write(path, report.to_json(result))
    say(
        f"wrote {path}. Add that one file to the zoo's repository, in the same folder, and open a pull request."
    )


def plain(text: str) -> str:
    """A part of a file's name."""
    return "-".join(
        filter(None, "".join(one if one.isascii() and one.isalnum() else "-" for one in text).split("-"))
    )


def _event(line: str, runs: int | None) -> None:
    warn(json.dumps({"event": "progress", "text": line, "runs": runs}))
