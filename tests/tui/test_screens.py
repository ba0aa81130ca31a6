"""Pictures of the program, for people to look at: every view and window, and what somebody sees in tmux.

They go to ``build/screens``, as SVG and as text, at two sizes and in three looks; CI keeps them. The words must be the
same in every look: no state is told by a colour alone.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from pathlib import Path

import driving
import livingrun
import multiplexer
import pytest
import viewsamples
from driving import press, settled
from multiplexer import Tmux
from rich.console import Console
from rich.text import Text
from terminal import REPOSITORY
from walk import walk

from zoo import settings
from zoo.cli.forms import OfCommandLine
from zoo.tui.app import ZooApp
from zoo.tui.viewer import Place
from zoo.tui.windows import Changing, Several, Writing
from zoo.views.asked import Asked
from zoo.views.screen import Screen

FOLDER = REPOSITORY / "build/screens"
SIZES = ((80, 24), (200, 60))
LOOKS = ("dark", "light", "monochrome")
NAMED = {
    "run-alive": "last", "run-died": viewsamples.ID, "publication-one": "my-model",
    "catalog-one": "smollm2-135m-instruct", "recipe-one": "plain",
    "form-one": "publish plain --hub 'my hub'", "form-wrong": "publish --lines many --dry-run", "plan": "my-model",
    "gates": "my-model", "history": "smollm2-135m-instruct", "coverage": "tutored",
}  # fmt: skip
"""What a view of the samples is about."""

pytestmark = pytest.mark.long


def keep(name: str, svg: str, shown: str) -> None:
    """Write a picture. It needs no font of another host: a browser then takes its own."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    (FOLDER / f"{name}.txt").write_text(shown + "\n", encoding="utf-8")


class Samples(ZooApp):
    """The program with the fixed facts of every view."""

    CSS_PATH = REPOSITORY / "zoo/tui/app.tcss"

    def __init__(self, asked: Asked, screens: dict[str, Screen]) -> None:
        super().__init__(asked, Place("runs"), read_only=False)
        self.screens = {place(name): screen for name, screen in screens.items()}

    def facts(self, place: Place) -> tuple[object, Screen]:
        return None, self.screens[place]


def place(name: str) -> Place:
    return Place(name.partition("-")[0], NAMED.get(name, ""))


async def pictures(app: Samples, look: str, size: tuple[int, int]) -> dict[str, str]:
    """Keep every view and window in a look. Returns the words of each."""
    found = dict[str, str]()
    async with app.run_test(size=size) as pilot:
        if look == "light":
            await press(app, pilot, "t")

        async def picture(name: str) -> None:
            await settled(app, pilot)
            found[name] = driving.visible(app)
            keep(f"{name}-{size[0]}x{size[1]}-{look}", app.export_screenshot(), found[name])

        for name in viewsamples.NAMES:
            if app.place != place(name):
                app.action_go(*vars(place(name)).values())
            await picture(name)
        windows = {
            "window-value": Writing("--hub", "A folder, or the address of a hub.", "my hub", (), ("build/hub",)),
            "window-choice": Writing("--verify", "What to compare.", "tree", ("tree", "full")),
            "window-several": Several("languages", "Of the model.", ["en"], ["en", "fr-CA", "de"], " ".join),
            "window-change": Changing("plain", "@@ -1,3 +1,3 @@\n name: plain\n-version: 1.0.0\n+version: 1.1.0"),
        }
        for name, window in windows.items():
            app.push_screen(window)
            await picture(name)
            await press(app, pilot, "escape")
        app.action_go(*vars(place("form-one")).values())
        await settled(app, pilot)
        for name, key in (("window-keys", "question_mark"), ("window-start", "x"), ("asking", "slash")):
            await press(app, pilot, key)
            await picture(name)
            await press(app, pilot, "escape")
        await press(app, pilot, "ctrl+p")
        await driving.until(app, pilot, lambda: "coverage RECIPE" in driving.visible(app))
        await picture("window-palette")
    return found


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_has_the_same_words_in_every_look(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "garden").mkdir()
    (tmp_path / "garden/zoo.toml").touch()
    screens = viewsamples.screens(tmp_path)
    asked = Asked(settings.load(tmp_path / "garden", {}, {}), forms=OfCommandLine())
    found = {}
    for look in LOOKS:
        monkeypatch.setenv("NO_COLOR", "1") if look == "monochrome" else monkeypatch.delenv("NO_COLOR", raising=False)
        found[look] = asyncio.run(pictures(Samples(asked, screens), look, size))
    assert found["dark"] == found["light"] == found["monochrome"]
    assert len(found["dark"]) == len(viewsamples.NAMES) + 8
    for shown in found["dark"].values():
        assert len(shown.split("\n")) == size[1]


tmux = pytest.mark.skipif(not multiplexer.COMMAND, reason="tmux is not installed: apt install tmux")


def photographed(name: str, terminal: Tmux, size: tuple[int, int]) -> None:
    """Keep what a pane shows."""
    shown = Text.from_ansi(terminal.shown(coloured=True))
    console = Console(width=size[0], record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(shown, no_wrap=True, overflow="crop")
    keep(f"tmux-{name}-{size[0]}x{size[1]}", console.export_svg(title="zoo ui"), shown.plain)


@tmux
@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_a_session_in_tmux(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "garden").mkdir()
    zoo = viewsamples.make_zoo(tmp_path / "garden")
    with livingrun.begun(zoo) as release, Tmux(zoo, "ui", size=size) as terminal:
        walk(terminal, release, lambda name, shown: photographed(name, shown, size))
    assert len(list(FOLDER.glob(f"tmux-*-{size[0]}x{size[1]}.svg"))) >= 12


@tmux
@pytest.mark.parametrize("number", range(int(os.environ.get("TMUX_SESSIONS", "6"))))
def test_a_session_in_tmux_goes_well_every_time(number: int, tmp_path: Path) -> None:
    """TMUX_SESSIONS=50 is the proof for a change of the program: six minutes."""
    (tmp_path / "garden").mkdir()
    zoo = viewsamples.make_zoo(tmp_path / "garden")
    size = ((80, 24), (120, 40), (200, 60))[number % 3]
    more = {"NO_COLOR": "1"} if number % 2 else {}
    with livingrun.begun(zoo) as release, Tmux(zoo, "ui", size=size, **more) as terminal:
        walk(terminal, release, lambda *_: None)
