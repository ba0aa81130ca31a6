"""The program in the terminal, driven by its library's own pilot: the real program without a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from textual import events
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from zoo import settings
from zoo.cli.forms import OfCommandLine
from zoo.tui.app import ZooApp
from zoo.tui.lines import Lines
from zoo.tui.viewer import Place
from zoo.views.asked import Asked

Driven = Pilot[None]


def drive(
    folder: Path,
    act: Callable[[ZooApp, Driven], Awaitable[None]],
    first: Place,
    *,
    size: tuple[int, int] = (80, 24),
    read_only: bool = False,
) -> None:
    """Start the program in a zoo, let ``act`` use it, and close it. Raises what went wrong in it."""

    async def whole() -> None:
        app = ZooApp(asked(folder), first, read_only=read_only)
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await act(app, pilot)
        if app.fault:
            raise app.fault

    asyncio.run(whole())


def asked(folder: Path, flags: Mapping[str, str | None] | None = None) -> Asked:
    return Asked(settings.load(folder, flags or {}, {}), forms=OfCommandLine())


NAMES = {"space": " ", "slash": "/", "colon": ":", "minus": "-", "question_mark": "?"}
"""Keys with a name that write a character."""
HOPS = 3
"""From the program to the widget with the focus, to what it posts, and to who hears that."""


async def settled(app: ZooApp, pilot: Driven) -> None:
    """Wait until every message is handled, and what was asked for is read and shown."""
    for _ in range(HOPS):
        await pilot.pause(0)
    while busy := [worker for worker in app.workers if not worker.is_finished]:
        # One that was replaced by a newer one is cancelled.
        with contextlib.suppress(WorkerCancelled):
            await app.workers.wait_for_complete(busy)
    for _ in range(HOPS):
        await pilot.pause(0)


async def press(app: ZooApp, pilot: Driven, *keys: str) -> None:
    """Press keys one after the other; each is handled before the next. The library's own way waits 40 ms for each."""
    for key in keys:
        app.post_message(events.Key(key, NAMES.get(key, key if len(key) == 1 else None)))
        for _ in range(HOPS):
            await pilot.pause(0)
    await settled(app, pilot)


def shown(app: ZooApp) -> str:
    """The lines of the present screen, also those that are not visible."""
    return "\n".join(line.text.rstrip() for line in app.screen_stack[0].query_one(Lines).lines)


def visible(app: ZooApp) -> str:
    """What the terminal shows now."""
    size = app.screen.size
    strips = app.screen._compositor.render_strips()
    assert len(strips) == size.height
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(app: ZooApp, pilot: Driven, true: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait until something is shown. Returns how long it took, in seconds."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, shown(app)
        await pilot.pause(0.02)
    return time.monotonic() - began
