"""``pi-zoo doctor``: what this board is, what is installed, and what would get in the way."""

from __future__ import annotations

import argparse
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from pi_runtime import VERSION, accelerate, parsers, profiles, programs, sources, store, system
from pi_runtime.asking import answer, say
from pi_runtime.cores import cores
from pi_runtime.settings import CouldNot
from pi_runtime.words import counted, data_size

GOOD, WORTH_A_LOOK, BAD = "good", "look", "BAD"
HOT_CELSIUS = 80.0
"""Raspberry Pi's documentation: from 80 degrees on the firmware slows the processor down."""

Finding = tuple[str, str]
"""GOOD, WORTH_A_LOOK or BAD, and a sentence."""


def doctor(arguments: argparse.Namespace) -> None:
    """Print what was found. Raises CouldNot if something is BAD, so that scripts can ask."""
    found = [*_board(), *_programs(), *_state(), *_models()]
    if arguments.json:
        answer({"findings": [{"state": state, "text": text} for state, text in found]})
    else:
        for state, text in found:
            say(f"{state:<5} {text}")
    bad = sum(state == BAD for state, _ in found)
    if bad:
        raise CouldNot(f"{counted(bad, 'problem')} must be fixed first.")


def _board() -> Iterator[Finding]:
    yield (
        GOOD,
        f"pi-zoo {VERSION}, Python {platform.python_version()}, {system.operating_system() or platform.system()}",
    )
    machine = profiles.machine()
    name = machine.board or machine.processor or "This machine"
    memory = f", {data_size(machine.memory_bytes)} of memory" if machine.memory_bytes else ""
    one = profiles.detect(machine, profiles.profiles())
    if one is None:
        yield (
            WORTH_A_LOOK,
            f"{name}{memory}: no device profile. Name one with --device, or use --memory-gb and --bandwidth-gbs",
        )
    else:
        threads = accelerate.plan(one, machine).threads_decode
        yield (
            GOOD,
            f"{name}{memory}: profile {one.id} ({one.name}), {one.runtime.accelerator}, {counted(threads, 'thread')}",
        )
    usable = cores()
    if usable.quota is not None and usable.quota < usable.fast:
        yield WORTH_A_LOOK, f"A control group allows the time of {usable.quota:g} of {usable.fast} CPUs"


def _programs() -> Iterator[Finding]:
    for name, needed in (
        ("llama-server", "run, embed, serve and bench need it"),
        ("llama-bench", "only for comparisons"),
    ):
        try:
            path = programs.find(name)
        except CouldNot as error:
            yield (BAD if name == "llama-server" else WORTH_A_LOOK), f"{error} ({needed})"
            continue
        yield GOOD, f"{name} {programs.version(path) or '(version not known)'}: {path}"


def _state() -> Iterator[Finding]:
    flags = system.throttled()
    if flags:
        yield (
            WORTH_A_LOOK,
            f"The board reports: {', '.join(parsers.throttle_names(flags))}. Check power supply and cooling",
        )
    elif flags == 0:
        yield GOOD, "Power and temperature: no complaint of the firmware since boot"
    celsius, _ = system.temperature()
    if celsius is not None and celsius >= HOT_CELSIUS:
        yield (
            WORTH_A_LOOK,
            f"The processor has {celsius:.0f} °C. A Raspberry Pi slows down from {HOT_CELSIUS:.0f} °C on",
        )
    governor = (system.read_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "").strip()
    if governor == "powersave":
        yield (
            WORTH_A_LOOK,
            "The clock is held low (governor powersave). For speed: governor ondemand or performance",
        )
    free, swap = system.meminfo("MemAvailable"), system.meminfo("SwapTotal")
    if free is not None:
        yield GOOD, f"{data_size(free)} of memory are free now; swap: {data_size(swap) if swap else 'none'}"


def _models() -> Iterator[Finding]:
    home = store.home()
    nearest = next((path for path in (home, *home.parents) if path.is_dir()), Path("/"))
    yield GOOD, f"Models are kept in {home}; the disk has {data_size(shutil.disk_usage(nearest).free)} free"
    try:
        catalog = sources.last()
        yield GOOD, f"Catalog: {catalog.source}, {counted(len(catalog.models), 'model')} when it was last read"
    except CouldNot as error:
        yield WORTH_A_LOOK, str(error)
    for one in store.kept():
        complete = one.path.is_file() and one.path.stat().st_size == one.receipt.size_bytes
        yield (
            (GOOD if complete else BAD),
            f"{one.spec}: {'complete' if complete else 'incomplete'}; pi-zoo verify checks every byte",
        )
    for path in store.leftovers():
        name = path.parent.parent.name
        yield (
            WORTH_A_LOOK,
            f"{path}: {data_size(path.stat().st_size)} of a stopped command. Continue: pi-zoo pull {name}. "
            f"Delete: pi-zoo remove {name}",
        )
    for path in store.damaged():
        yield BAD, f"{path} cannot be read. Delete it, and download the file again"
