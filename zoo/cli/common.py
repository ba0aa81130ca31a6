"""Options that every command has, and how a command finds its zoo."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from catalog.problems import instead_of
from zoo import addresses, stopping
from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.output import Output
from zoo.progress import heard_by
from zoo.runs.writer import Recorder
from zoo.settings import Settings

if TYPE_CHECKING:
    from catalog.device import Device

Result = TypeVar("Result")


@dataclass(frozen=True)
class Call:
    """What a command receives in addition to its own arguments."""

    output: Output
    flags: dict[str, str | None]
    recorder: Recorder | None = None

    @functools.cached_property
    def settings(self) -> Settings:
        """Settings of the zoo around the current folder. Raises InputError if there is none."""
        try:
            here = Path.cwd()
        except FileNotFoundError:
            raise InputError(
                "the current folder was deleted", remedy="Change into your zoo: cd FOLDER"
            ) from None
        for sentence in filter(None, (settings_room.narrow_locale(), *settings_room.misspelt(os.environ))):
            self.output.warn(sentence)
        found = settings_room.load(here, self.flags, os.environ)
        if self.recorder:
            self.recorder.place(found.work)
        return found


def name_and_version(text: str) -> tuple[str, str]:
    """The parts of NAME or NAME@VERSION; "" without a version. Raises InputError if one of them is empty."""
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise InputError(
            f"{text!r} is not a model name", remedy="Write NAME or NAME@VERSION; zoo catalog lists them"
        )
    return name, version


def device_named(device_id: str) -> Device:
    """The board with this profile. Raises InputError with the nearest id, or all of them."""
    # It reads every profile, which most commands do not need.
    from catalog import device as devices

    found = devices.find(device_id)
    if found is None:
        remedy = instead_of(device_id, (device.id for device in devices.DEVICES))
        raise InputError(f"device {device_id!r} was not found", remedy=remedy)
    return found


MOST_JOBS = 256
"""Steps that one command makes at the same time."""

UNRECORDED = ("zoo runs", "zoo ui")
"""Commands that read journals write none."""


@contextmanager
def _kept(output: Output, recorder: Recorder) -> Iterator[list[int]]:
    """Within the block, what happens is kept in the journal of the run, with its end. Yields a list for its exit
    code."""
    output.journal = recorder.stamp
    codes: list[int] = []
    try:
        with recorder.kept():
            yield codes
        recorder.end(codes[-1] if codes else 0)
    except BaseException as error:
        recorder.end(_code(error), str(error))
        raise
    finally:
        output.journal = None


def _code(error: BaseException) -> int:
    """The exit code that ``zoo.cli.outcome`` gives an error."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return stopping.exit_code(error)
    return error.exit_code if isinstance(error, ZooError | click.ClickException) else 1


def options(*setting_names: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Adds --json, --quiet and the named settings; the function gets a Call first."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def wrapper(*args: object, json_: bool, quiet: bool, log: str, **kwargs: object) -> Result:
            given = {name: kwargs.pop(name) for name in setting_names}
            flags = {name: None if text is None else str(text) for name, text in given.items()}
            for name, text in flags.items():
                addresses.refuse_secret(text or "", f"flag --{name}")
            output, context = Output(json_, quiet, log == "json"), click.get_current_context()
            what = context.command_path
            recorder = None
            if not what.startswith(UNRECORDED):
                recorder = Recorder(what, context.find_root().obj or (), output.progress)
            kept = _kept(output, recorder) if recorder else nullcontext(list[int]())
            with heard_by(output), output.attended(what), kept as codes:
                result = function(Call(output, flags, recorder), *args, **kwargs)
                if isinstance(result, int):
                    codes.append(result)
                return result

        decorated: Callable[..., Result] = wrapper
        described = {name: (variable, text) for name, variable, _, text in settings_room.describe()}
        for name in reversed(setting_names):
            variable, text = described[name]
            decorated = click.option(
                f"--{name.replace('_', '-')}", metavar="VALUE", help=f"Setting {name}: {text} ({variable})."
            )(decorated)
        decorated = click.option(
            "--log", type=click.Choice(("text", "json")), default="text",
            help="Write messages and progress to stderr as text, or as one JSON object per line.",
        )(decorated)  # fmt: skip
        decorated = click.option("--quiet", "-q", is_flag=True, help="Print only the answer, warnings and errors.")(
            decorated
        )
        return click.option("--json", "json_", is_flag=True, help="Print the answer as JSON on stdout.")(decorated)

    return decorate
