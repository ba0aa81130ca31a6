"""The device that a command is about, and whether a file would make it swap."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from pi_runtime import profiles, system
from pi_runtime.accelerate import Plan, Wanted, plan
from pi_runtime.arithmetic import Parts
from pi_runtime.choosing import Wish
from pi_runtime.cores import memory_limit_bytes
from pi_runtime.profiles import Machine, Profile
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.words import data_size


@dataclass(frozen=True)
class Board:
    """A profile, the machine that this program runs on, and every profile. here: the profile is this machine's own."""

    profile: Profile
    machine: Machine
    some: list[Profile]
    here: bool

    def wish(self, arguments: argparse.Namespace) -> Wish:
        """What a file is wanted for, from the options of a command."""
        runtime = self.profile.runtime
        context = arguments.context or runtime.context_tokens
        least = getattr(arguments, "min_speed", None)
        if context < 1 or (least is not None and not 0 < least < 1e9):
            raise InvalidArguments("--context and --min-speed must be positive numbers.")
        kv = arguments.kv or runtime.kv_types[0]
        return Wish(self.profile, self.some, context, kv, least)

    def plan(self, arguments: argparse.Namespace) -> Plan:
        """What computes, from the profile and the options of a command."""
        wanted = Wanted(
            accelerator=arguments.accelerator,
            threads=arguments.threads,
            threads_prompt=arguments.threads_prompt,
            context_tokens=arguments.context,
            kv_type=arguments.kv,
            force=arguments.force,
        )
        return plan(self.profile, self.machine, wanted)


def of(arguments: argparse.Namespace) -> Board:
    """The device that the options name, else this machine. Raises InvalidArguments if it is not known."""
    some, machine = profiles.profiles(), profiles.machine()
    described = arguments.memory_gb is not None or arguments.bandwidth_gbs is not None
    if arguments.device and described:
        raise InvalidArguments("Name a device or describe a machine, not both.")
    if arguments.device:
        return Board(profiles.find(arguments.device, some), machine, some, False)
    if described:
        if arguments.memory_gb is None or arguments.bandwidth_gbs is None:
            raise InvalidArguments("A machine needs both --memory-gb and --bandwidth-gbs.")
        return Board(
            profiles.custom(arguments.memory_gb, arguments.bandwidth_gbs, some), machine, some, False
        )
    found = profiles.detect(machine, some)
    if found is None:
        name = machine.board or machine.processor or "This machine"
        raise InvalidArguments(
            f"{name} has no profile. Name one with --device ({', '.join(one.id for one in some)}), "
            "or describe the machine with --memory-gb and --bandwidth-gbs."
        )
    return Board(found, machine, some, True)


def check_memory(parts: Parts | None, path: str, board: Board, context_tokens: int, force: bool) -> None:
    """Refuse a file that would make the board swap, with the sum. Raises CouldNot unless ``force``."""
    free = board.profile.free_bytes
    limit = memory_limit_bytes() if board.here else None
    if limit is not None:
        free = min(free, limit)
    if force or parts is None or parts.total <= free:
        return
    raise CouldNot(
        f"{path} would make this board swap. {total(parts, context_tokens)}, and {board.profile.name} has "
        f"{data_size(free)} free for a model. Choose a smaller file (pi-zoo recommend), a shorter --context, "
        "or add --force."
    )


def check_free_now(parts: Parts | None, path: str, context_tokens: int, force: bool) -> None:
    """Refuse to start a file that does not fit next to what runs now. Raises CouldNot unless ``force``."""
    free = system.meminfo("MemAvailable")
    if force or parts is None or free is None or parts.total <= free:
        return
    raise CouldNot(
        f"{path} does not fit into the memory that is free now. {total(parts, context_tokens)}, and "
        f"{data_size(free)} are free. Stop other programs, use a shorter --context, or add --force."
    )


def total(parts: Parts, context_tokens: int) -> str:
    """The sum, as a sentence without its full stop."""
    return (
        f"It needs {data_size(parts.weights)} for the weights + {data_size(parts.cache)} for the cache of "
        f"{context_tokens:,} tokens + {data_size(parts.buffer)} for buffers = {data_size(parts.total)}"
    )
