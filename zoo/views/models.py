"""The catalog, with the file that is recommended for a board."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial

from catalog import device as devices
from catalog import yanks
from catalog.device import Device
from catalog.index import Catalog
from catalog.problems import instead_of
from catalog.release import Model
from catalog.words import counted, data_size, nats, rate
from zoo.choose import pick as picks
from zoo.choose.pick import Pick
from zoo.errors import InputError
from zoo.views import outline
from zoo.views.asked import Asked
from zoo.views.outline import Entry
from zoo.views.screen import Row, Screen, Table

ANSWER_WIDTH = 120


def listed(models: Sequence[Entry], device: Device, answer_of: Callable[[str], str]) -> Screen:
    """Every model with its newest version, its files, and the file that is recommended for a board: answer_of a name.
    """
    rows = [
        Row((one.name, one.version, one.state, one.languages), ("catalog", one.name), partial(answer_of, one.name))
        for one in models
    ]
    columns = ("model", "version", "state", "languages", f"for {device.id}")
    table = Table(columns, rows, flat=True, last=ANSWER_WIDTH, empty="Nothing is released yet.")
    words = f"{counted(len(rows), 'model')}. The last column is the answer of: zoo pick NAME --device {device.id}"
    return Screen("Catalog", (words, table), ("zoo show NAME", "zoo pick NAME --device ID"))


def answer(model: Model, device: Device) -> str:
    """The chooser's answer in a cell: the type, its speed and its size."""
    release = picks.current(model)
    if release is None:
        return "every version is withdrawn"
    if model.experimental:
        return "none: the model is experimental"
    found = picks.pick(release, device, picks.usual_context(release))
    if found.file is None:
        return f"none: {found.reason}"
    return ", ".join(filter(None, (found.file.type, _speed(found), data_size(found.file.size_bytes))))


def one(catalog: Catalog, model: Model, device: Device) -> Screen:
    """A model: its files with their loss, the file for each board, and the reason for one board."""
    release = model.preferred()[0]
    notes = [model.summary, f"licence: {release.licence}", f"released: {release.date}"]
    if event := yanks.standing(catalog, model.name, release.version):
        notes.insert(0, yanks.sentence(event))
    files = [
        Row((file.type, data_size(file.size_bytes), nats(file.loss.kld_mean_nats) if file.loss else "reference",
             "passed" if file.smoke_passed else "FAILED", file.path))
        for file in release.files
    ]  # fmt: skip
    now = picks.current(model)
    found = picks.recommendations(now) if now and not model.experimental else ()
    boards = [Row((one.device.id, one.file.type if one.file else "none", _memory(one), _speed(one))) for one in found]
    reasons = [f"For {device.name}: {one.reason}" for one in found if one.device.id == device.id]
    empty = f"No file is recommended for any board: {answer(model, device)}."
    tables: tuple[str | Table, ...] = (
        Table(("type", "#size", "#KLD, nats", "smoke test", "file"), files), *reasons,
        Table(("board", "file", "#memory", "speed"), boards, empty=empty),
    )  # fmt: skip
    views = (f"zoo ui {view} {model.name}" for view in ("history", "publication", "gates"))
    commands = (f"zoo pull {model.name} --device {device.id}", *views)
    return Screen(f"{model.name} {release.version}", ("\n".join(notes), *tables), commands)


def _memory(one: Pick) -> str:
    return data_size(one.memory_bytes) if one.memory_bytes else ""


def _speed(one: Pick) -> str:
    if one.speed is None:
        return ""
    return f"{rate(one.speed.typical)} tokens/s, {'measured' if one.speed.measured else 'predicted'}"


def look(asked: Asked) -> Screen:
    """The catalog, or one model of it. Raises InputError for a broken catalog, and an unknown model or board."""
    device = devices.find(asked.device)
    if device is None:
        known = (one.id for one in devices.DEVICES)
        raise InputError(f"device {asked.device!r} was not found", remedy=instead_of(asked.device, known))
    settings = asked.settings
    if asked.name:
        model = outline.model(settings, asked.name)
        return one(outline.models(settings, [model.name]), model, device)

    @functools.cache
    def answer_of(name: str) -> str:
        return answer(outline.model(settings, name), device)

    return listed(outline.read(settings), device, answer_of)
