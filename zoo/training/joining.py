"""Take part in a training that another machine leads, on the same work folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from zoo.progress import Reporter
from zoo.training import devices, handover, meeting
from zoo.training.meeting import Offer, Place
from zoo.training.together import take_part


def join(where: tuple[str, int], report: Reporter, began: Callable[[Offer, Place], None]) -> Place:
    """Wait for a training at ``where`` (host, port) and take part until it ends; this machine's place in it.

    Raises InputError if this machine cannot take part, ZooError if the training ends before its last step.
    """
    offer, place = meeting.join(where, _fault, report)
    began(offer, place)
    folder = Path(offer.folder)
    given, *_ = handover.read(folder)
    take_part(folder, place, given.threads)
    return place


def _fault(offer: Offer) -> str:
    """Why this machine cannot take part; "" if it can."""
    try:
        same = handover.digest(Path(offer.folder)) == offer.sha256
    except OSError as error:
        return f"{offer.folder} cannot be read ({error.strerror}). The work folder must be shared, at the same path"
    if not same:
        return f"{offer.folder} has other files here than there. The work folder must be shared, at the same path"
    try:
        # Else the others would wait for processes that cannot begin.
        with tempfile.TemporaryFile(dir=offer.folder):
            pass
    except OSError as error:
        return f"no files can be written in {offer.folder} ({error.strerror})"
    what, remedy = devices.fault(offer.device, offer.processes)
    return f"{what}: {remedy}" if what else ""
