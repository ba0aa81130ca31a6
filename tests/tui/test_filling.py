"""Forms in the terminal, driven by keys: values, flags, lists, what is wrong, and changes of a recipe."""

from __future__ import annotations

from pathlib import Path

import driving
import pytest
import viewsamples
from driving import Driven, press, settled, shown
from textual.widgets import Input, OptionList

from zoo.tui.app import ZooApp
from zoo.tui.asking import Choice
from zoo.tui.viewer import Place
from zoo.tui.windows import Changing, Several, Writing


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return viewsamples.make_zoo(tmp_path)


async def on_field(app: ZooApp, pilot: Driven, name: str) -> None:
    """Move the cursor to a field, by keys."""
    await press(app, pilot, "home")
    for _ in range(len(app.lines_shown.lines)):
        if app.lines_shown.link == ("field", name):
            return
        await press(app, pilot, "j")
    raise AssertionError(f"no field {name}")


async def write(app: ZooApp, pilot: Driven, text: str) -> None:
    """Write into the window that is open, and keep it."""
    app.screen.query_one(Input).value = text
    await press(app, pilot, "enter")


def test_a_command_is_filled_in_copied_and_started(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "8")
        assert app.place == Place("form")
        await on_row(app, pilot, ("form", "runs"))
        await press(app, pilot, "enter")
        await press(app, pilot, "colon", *"form", "space", *"runs", "space", *"log", "enter")
        assert "WRONG: Missing argument 'ID'." in shown(app)
        await press(app, pilot, "x")
        assert not isinstance(app.screen, Choice)
        await on_field(app, pilot, "--lines")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Writing) and app.screen.value == "200"
        await write(app, pilot, "none")
        assert "'none' is not a valid integer range" in shown(app) and app.lines_shown.link == ("field", "--lines")
        await press(app, pilot, "enter")
        await write(app, pilot, "7")
        await on_field(app, pilot, "ID")
        await press(app, pilot, "enter")
        await write(app, pilot, "last")
        await on_field(app, pilot, "--json")
        await press(app, pilot, "enter")
        assert app.place == Place("form", "runs log last --lines 7 --json")
        assert driving.visible(app).splitlines()[-1].strip() == "$ zoo runs log last --lines 7 --json"
        await press(app, pilot, "c")
        assert app.clipboard == "zoo runs log last --lines 7 --json"
        await press(app, pilot, "x", "enter")
        assert app.place == Place("started", "runs log last --lines 7 --json")
        await driving.until(app, pilot, lambda: "exit code 0" in shown(app))
        assert viewsamples.ID in shown(app)
        await press(app, pilot, "escape")
        assert app.lines_shown.link == ("field", "--json")
        await press(app, pilot, "enter")
        assert app.place.name == "runs log last --lines 7"

    driving.drive(zoo, act, Place("runs"), size=(100, 40))


async def on_row(app: ZooApp, pilot: Driven, link: tuple[str, str]) -> None:
    await press(app, pilot, "home")
    while app.lines_shown.link != link:
        await press(app, pilot, "j")


def test_choices_are_a_list_and_a_dry_run_comes_first(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await on_field(app, pilot, "--verify")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Writing) and app.screen.choices == ["tree", "full"]
        assert app.screen.query_one(OptionList).highlighted == 0
        await press(app, pilot, "down", "enter")
        assert app.place.name == "publish plain --verify full"
        await press(app, pilot, "x")
        assert isinstance(app.screen, Choice)
        assert app.screen.commands == ["zoo publish plain --dry-run --verify full", "zoo publish plain --verify full"]
        await press(app, pilot, "escape", "enter", "up", "enter")
        assert app.place.name == "publish plain" and app.child is None

    driving.drive(zoo, act, Place("form", "publish plain"))


def test_a_recipe_is_changed_after_its_difference_was_shown(zoo: Path) -> None:
    path = zoo / "recipes/plain.yaml"
    before = path.read_text(encoding="utf-8")

    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "7")
        await on_row(app, pilot, ("recipe", "plain"))
        await press(app, pilot, "enter")
        await on_field(app, pilot, "maturity")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Writing) and "experimental" in app.screen.choices
        await press(app, pilot, "home", "enter")
        assert isinstance(app.screen, Changing) and "+maturity: experimental" in app.screen.difference
        await press(app, pilot, "escape")
        assert path.read_text(encoding="utf-8") == before
        await press(app, pilot, "enter", "home", "enter", "enter")
        assert path.read_text(encoding="utf-8") != before and "experimental" in shown(app)
        await on_field(app, pilot, "evaluate.windows")
        await press(app, pilot, "enter")
        await write(app, pilot, "many")
        await press(app, pilot, "enter")
        assert "evaluate.windows: \"many\" is not a whole number" in shown(app).replace("\n", " ")
        await on_field(app, pilot, "languages")
        await press(app, pilot, "enter")
        await write(app, pilot, "[en")
        assert not isinstance(app.screen, Changing)

    driving.drive(zoo, act, Place("runs"), size=(120, 40))


def test_read_only_changes_no_recipe(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await on_field(app, pilot, "version")
        await press(app, pilot, "enter")
        assert not isinstance(app.screen, Writing)
        await settled(app, pilot)

    driving.drive(zoo, act, Place("recipe", "plain"), read_only=True)


def test_a_list_of_known_values_is_marked(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await on_field(app, pilot, "quantize.ladder")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Several) and app.screen.choices[:2] == ["Q8_0", "Q6_K"]
        # Marks are characters: they are seen without colours.
        assert "[x] Q8_0" in driving.visible(app) and "[ ] Q6_K" in driving.visible(app)
        await press(app, pilot, "home", "space", "down", "space", "enter")
        assert isinstance(app.screen, Changing)
        assert "+  ladder: [Q5_K_M, Q4_0, Q6_K]" in app.screen.difference
        await press(app, pilot, "escape")
        await press(app, pilot, "colon", *"form", "space", *"clean", "enter")
        await on_field(app, pilot, "KIND")
        await press(app, pilot, "enter", "space", "enter")
        assert app.place.name.startswith("clean ") and len(app.place.name.split()) == 2

    driving.drive(zoo, act, Place("recipe", "plain"))


def test_recipes_of_this_zoo_are_offered(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Writing) and app.screen.offers == ["plain", "tutored"]
        await press(app, pilot, "tab", "down", "enter")
        assert app.place.name == "plan tutored"

    driving.drive(zoo, act, Place("form", "plan"))


def test_the_place_in_a_list_is_seen_without_colours(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def act(app: ZooApp, pilot: Driven) -> None:
        await on_field(app, pilot, "--verify")
        await press(app, pilot, "enter", "down")
        styles = {
            part.text.strip(): part.style
            for strip in app.screen._compositor.render_strips()
            for part in strip
            if part.text.strip() in ("tree", "full")
        }  # fmt: skip
        here, other = styles["full"], styles["tree"]
        assert here and other and here.bgcolor == other.color and here.bgcolor != other.bgcolor

    driving.drive(zoo, act, Place("form", "publish plain"))
