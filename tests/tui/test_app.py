"""The program in the terminal: keys, places, filters, sizes, and that it shows the same lines as plain text."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from pathlib import Path

import driving
import pytest
import viewsamples
from driving import Driven, press, settled, shown
from textual import events
from textual.geometry import Size
from textual.widgets import OptionList

from zoo import extras
from zoo.errors import MissingExtra
from zoo.tui.app import ZooApp
from zoo.tui.asking import Choice, Help
from zoo.tui.child import shown as shown_child
from zoo.tui.child import startable
from zoo.tui.lines import MARKS, Lines
from zoo.tui.viewer import Place
from zoo.views.screen import Row, Screen, Table, text
from zoo.views.table import VIEWS, look

NAME = "smollm2-135m-instruct"
NAMES = {"plan": "plain", "coverage": "tutored", "gates": "tutor", "history": NAME}
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return viewsamples.make_zoo(tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_every_view_has_the_lines_of_its_plain_text(size: tuple[int, int], zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        for view in VIEWS:
            if view == "machine" or view == "plan":
                continue  # what is free changes in between
            name = NAMES.get(view, "")
            await press(app, pilot, "colon")
            app._ask.value = f"{view} {name}"
            await press(app, pilot, "enter")
            assert app.place == Place(view, name)
            columns = app.query_one(Lines).columns
            assert columns >= size[0] - 4
            asked = driving.asked(zoo)
            assert shown(app) == text(look(view, dataclasses.replace(asked, name=name)), columns)
            first = driving.visible(app).splitlines()[1]
            assert first[:2] in MARKS and first[2:] == shown(app).splitlines()[0]

    driving.drive(zoo, act, Place("runs"), size=size)


def test_the_keyboard_reaches_rows_views_and_back(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        assert "1 died" in shown(app)
        await press(app, pilot, "enter")
        assert app.place == Place("run", viewsamples.ID)
        await press(app, pilot, "escape", "3")
        assert app.place.view == "catalog" and app.query_one(Lines).link == ("catalog", NAME)
        await press(app, pilot, "j")
        assert app.query_one(Lines).link == ("catalog", "smollm2-tutor-57m")
        await press(app, pilot, "k", "enter")
        assert app.place == Place("catalog", NAME) and "Raspberry Pi 5" in shown(app)
        await press(app, pilot, "end", "k", "k", "enter")
        assert app.place == Place("history", NAME)
        for _ in range(9):
            await press(app, pilot, "escape")
        assert app.places == [Place("runs")]

    driving.drive(zoo, act, Place("runs"))


def test_the_cursor_is_on_the_first_row_of_a_list_that_was_empty(zoo: Path) -> None:
    held = zoo / "build/work/runs"
    kept = held.rename(held.with_name("kept"))

    async def act(app: ZooApp, pilot: Driven) -> None:
        assert app.lines_shown.link is None
        kept.rename(held)
        await press(app, pilot, "r")
        await press(app, pilot, "enter")
        assert app.place == Place("run", viewsamples.ID)

    driving.drive(zoo, act, Place("runs"))


def first_command(app: ZooApp) -> str:
    """Of the list in the palette, which is searched meanwhile; "" while it is empty."""
    listed = app.screen.query_one(OptionList)
    return str(listed.get_option_at_index(0).prompt) if listed.option_count else ""


def test_the_palette_and_the_help_open_by_key(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "question_mark")
        assert isinstance(app.screen, Help)
        await press(app, pilot, "escape", "ctrl+p")
        await press(app, pilot, *"yanks")
        await driving.until(app, pilot, lambda: first_command(app).startswith("yanks"))
        await press(app, pilot, "enter")
        await driving.until(app, pilot, lambda: app.place.view == "yanks")
        words = [command.title for command in app.get_system_commands(app.screen)]
        assert {word.partition(" ")[0] for word in words} >= set(VIEWS)

    driving.drive(zoo, act, Place("runs"))


def test_a_filter_shows_rows_with_every_word_and_escape_shows_all(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "slash", *"TUTOR", "space", *"fr")
        assert "smollm2-tutor-57m" in shown(app) and NAME not in shown(app)
        await press(app, pilot, "enter")
        assert app.query_one(Lines).has_focus and "filter: TUTOR fr" in driving.visible(app).splitlines()[0]
        await press(app, pilot, "escape")
        assert NAME in shown(app) and app.place.view == "catalog"
        await press(app, pilot, "slash", *"zzz", "escape")
        assert NAME in shown(app)

    driving.drive(zoo, act, Place("catalog"))


def test_two_hundred_sizes_break_nothing(zoo: Path) -> None:
    sizes = random.Random(11)

    async def act(app: ZooApp, pilot: Driven) -> None:
        for number in range(200):
            size = Size(sizes.randint(1, 220), sizes.randint(1, 70))
            app.post_message(events.Resize(size, size))
            await pilot.pause(0)
            await pilot.pause(0)
            assert app.screen.size == size
            if number % 10 == 0:
                await press(app, pilot, "pagedown")
        await pilot.resize_terminal(80, 24)
        await settled(app, pilot)
        assert shown(app) == text(look("catalog", driving.asked(zoo)), app.query_one(Lines).columns)

    driving.drive(zoo, act, Place("catalog"))


def test_a_wrong_place_is_a_sentence_and_not_the_end(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        for words, says in (("nothing", "was not found"), ("plan", "needs a name"), ("history nobody", "no model")):
            await press(app, pilot, "colon")
            app._ask.value = words
            await press(app, pilot, "enter")
            assert says in shown(app).replace("\n", " ")
        (zoo / "model_catalog.json").write_text("{", encoding="utf-8")
        await press(app, pilot, "3")
        assert "the catalog is not valid" in shown(app).replace("\n", " ")

    driving.drive(zoo, act, Place("runs"))


def test_the_cursor_can_be_seen_without_colours(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def act(app: ZooApp, pilot: Driven) -> None:
        rows = [line for line in driving.visible(app).splitlines() if line.startswith(MARKS[1])]
        assert len(rows) == 1 and NAME in rows[0]
        for keys in ((), ("t",)):
            await press(app, pilot, *keys)
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    colours = [segment.style.color, segment.style.bgcolor] if segment.style else []
                    assert all(one is None or one.triplet is None or len(set(one.triplet)) == 1 for one in colours)

    driving.drive(zoo, act, Place("catalog"))


def test_an_unsupported_library_is_named_after_the_first_picture(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version is looked up last: that takes longer than all else before the first picture."""
    app = ZooApp(driving.asked(zoo), Place("runs"), read_only=False)
    seen = list[str]()

    def unfit(name: str) -> str:
        seen.append(driving.visible(app))
        return f"{name} 99.0 is installed, but {name}<9 is required"

    async def act(_: ZooApp, pilot: Driven) -> None:
        await settled(app, pilot)

    monkeypatch.setattr(driving, "ZooApp", lambda *_, **__: app)
    monkeypatch.setattr(extras, "unfit", unfit)
    with pytest.raises(MissingExtra, match=r"requires another version: textual 99\.0"):
        driving.drive(zoo, act, Place("runs"))
    assert "? keys" in seen[0]


def test_read_only_starts_nothing(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "x")
        assert not isinstance(app.screen, Choice) and "read-only" in driving.visible(app)

    driving.drive(zoo, act, Place("plan", "plain"), read_only=True)


def test_a_command_needs_two_keys_and_shows_what_it_prints(zoo: Path) -> None:
    async def act(app: ZooApp, pilot: Driven) -> None:
        await press(app, pilot, "x")
        assert isinstance(app.screen, Choice) and app.child is None
        assert app.screen.commands == ["zoo clean runs"]
        await press(app, pilot, "enter")
        assert app.place == Place("started", "clean runs") and app.child
        await driving.until(app, pilot, lambda: "exit code 0" in shown(app))
        assert "runs: 1 file" in shown(app) and not list((zoo / "build/work/runs").iterdir())

    driving.drive(zoo, act, Place("machine"))


def test_a_dry_run_comes_before_a_publication(zoo: Path) -> None:
    assert zoo.is_dir()
    done = shown_child(("publish", "tutor", "--dry-run"), "Would upload 1 MB.\n", 0)
    assert done.commands == ("zoo publish tutor",)
    # Of a long output the end is seen, so it says how the command ended.
    assert done.parts == ("Would upload 1 MB.", "exit code 0")
    assert not shown_child(("publish", "tutor", "--dry-run"), "", None).commands
    assert not shown_child(("publish", "tutor", "--dry-run"), "", 1).commands
    assert not shown_child(("publish", "tutor"), "", 0).commands
    assert look("publication", driving.asked(zoo)).commands == ("zoo publish tutor --dry-run",)


@pytest.mark.parametrize(
    ("command", "words"),
    [("zoo clean runs", ("clean", "runs")), ("zoo pick NAME --device ID", None), ("zoo ui log x", None),
     ("zoo yank NAME@VERSION --reason WHY", None), ("rm -rf /", None), ("zoo", None), ("", None), ("zoo '", None)],
)  # fmt: skip
def test_only_exact_commands_of_this_program_can_be_started(command: str, words: tuple[str, ...] | None) -> None:
    assert startable(command) == words


MODELS = 10_000


def test_ten_thousand_models_are_filtered_while_somebody_types(zoo: Path) -> None:
    text_ = (zoo / "model_catalog.json").read_text(encoding="utf-8")
    model = json.loads(text_)["models"][0]
    rows = [
        Row((f"{model['name']}-{number:05}", "1.0.0", "", "en fr"), ("catalog", model["name"]), lambda: "Q4_K_M")
        for number in range(MODELS)
    ]
    many = Screen("Catalog", (Table(("model", "version", "state", "languages", "file"), rows, flat=True, last=40),))

    async def act(app: ZooApp, pilot: Driven) -> None:
        app.found = many
        app._show(new=True)
        assert len(app.query_one(Lines).lines) > MODELS
        took = []
        await press(app, pilot, "slash")
        for key in "instruct-099":
            began = time.process_time()
            await press(app, pilot, "minus" if key == "-" else key)
            took.append(time.process_time() - began)
        assert [line.opens for line in app.query_one(Lines).lines].count(("catalog", model["name"])) == 100
        # Of the processor, which other programs do not disturb; aimed at are 0.1 s.
        assert sorted(took)[-2] < 0.5, took

    driving.drive(zoo, act, Place("catalog"))


def test_keys_that_are_typed_ahead_do_what_they_say(zoo: Path) -> None:
    """As a fast typist, or a program that sends keys, does: the next key is there before the one before is handled."""
    async def act(app: ZooApp, pilot: Driven) -> None:
        for key in ("slash", *"tutor", "enter", "enter"):
            app.post_message(events.Key(key, driving.NAMES.get(key, key if len(key) == 1 else None)))
        await settled(app, pilot)
        assert app.places == [Place("catalog"), Place("catalog", "smollm2-tutor-57m")]
        for key in ("escape", "colon", *"yanks", "enter", "escape"):
            app.post_message(events.Key(key, driving.NAMES.get(key, key if len(key) == 1 else None)))
        await settled(app, pilot)
        # Back at the filter and the row.
        assert app.places == [Place("catalog")] and "catalog, filter: tutor" in driving.visible(app)
        assert app.query_one(Lines).link == ("catalog", "smollm2-tutor-57m") and NAME not in shown(app)

    driving.drive(zoo, act, Place("catalog"))
