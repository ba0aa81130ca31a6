"""zoo join"""

from __future__ import annotations

import click

from catalog.problems import show
from catalog.words import counted
from zoo import addresses, training
from zoo.cli.common import Call, options
from zoo.errors import InputError


@click.command()
@options()
@click.argument("address", metavar="HOST:PORT")
def command(call: Call, address: str) -> None:
    """Train together with the machine at HOST:PORT, which runs zoo build or zoo release with the setting machines.

    It names the address, and waits for this machine. The command needs no zoo, but the other machine's work folder, at
    the same path. It waits until a training begins, takes part in that one, and ends with it.
    """
    where = addresses.meeting(address)
    if where is None:
        raise InputError(
            f"{show(address)} is not a valid address",
            remedy="Write HOST:PORT, as the other machine names it: zoo join node1:29400",
        )
    training.require()
    from zoo.training.joining import join

    place = join(
        where, call.output,
        lambda offer, place: call.output.say(
            f"Machine {place.number + 1} of {place.machines} trains with "
            f"{counted(place.processes, 'process', 'processes')} ({offer.device}), in {offer.folder}"
        ),
    )  # fmt: skip
    call.output.answer(
        {"machine": place.number + 1, "machines": place.machines, "processes": place.processes},
        f"The training has ended. This was machine {place.number + 1} of {place.machines}.",
    )
