"""What the windows of forms are about: the value of a field as it is, and the command line or recipe after it."""

from __future__ import annotations

import shlex

from catalog import yamledit
from zoo.errors import InputError, ZooError
from zoo.files.whole import write_atomic
from zoo.forms import commands, recipes
from zoo.forms.recipes import Change
from zoo.plan import prepare
from zoo.tui.windows import Several, Writing
from zoo.views import fields
from zoo.views.asked import Asked


def window(asked: Asked, view: str, name: str) -> Writing | Several | None:
    """The window for a field of the form that a place shows; None for a flag. Raises ZooError."""
    if view == "recipe":
        entry = _entry(asked, name)
        words = ("Required. " if entry.required else "") + entry.words
        if entry.several:
            held = [str(one) for one in entry.value] if isinstance(entry.value, list) else []
            return Several(entry.name, words, held, entry.several, lambda chosen: yamledit.flow([*chosen]))
        return Writing(entry.name, words, entry.start, entry.choices)
    form, given = _filled(asked)
    one = form.field(name)
    if one.kind == "flag":
        return None
    if one.kind == "list" and one.choices:
        return Several(name, one.words, given.get(name, ()), one.choices, shlex.join)
    more = " Several are written as in a shell: one 'two words' three." if one.kind == "list" else ""
    value = shlex.join(given[name]) if one.kind == "list" and name in given else "".join(given.get(name, ()))
    offers = () if one.choices else fields.offers(asked, form, one)
    words = f"{'Required. ' if one.missing else ''}{one.words}{more}"
    return Writing(name, words, value or one.default, one.choices, offers)


def line(asked: Asked, name: str, written: str | None) -> str:
    """The command line with another value in a field; of a flag with None, the other state. Raises ZooError."""
    form, given = _filled(asked)
    one = form.field(name)
    return shlex.join(commands.words(form, commands.with_value(form, given, one, _words(one, written, name in given))))


def _words(one: commands.Field, written: str | None, is_on: bool) -> tuple[str, ...]:
    if one.kind == "flag":
        return () if is_on else commands.ON
    return tuple(fields.line(written or "")) if one.kind == "list" else tuple(filter(None, (written,)))


def change(asked: Asked, name: str, written: str) -> Change:
    """A recipe with another value in a field. Raises ZooError."""
    return recipes.changed(fields.recipe_text(asked), name, written)


def write(asked: Asked, made: Change) -> None:
    """Write a changed recipe, atomically, if it is still what it was. Raises ZooError, OSError."""
    if fields.recipe_text(asked) != made.before:
        raise ZooError("the recipe was changed by somebody else", safe="It was not written.", remedy="Change it again")
    write_atomic(prepare.find_recipe(asked.name, asked.settings), made.text)


def _filled(asked: Asked) -> tuple[commands.Form, dict[str, tuple[str, ...]]]:
    found = fields.filled(asked)
    if found is None:
        raise InputError(f"{asked.name} is not a command with a form")
    return found


def _entry(asked: Asked, name: str) -> recipes.Entry:
    data = recipes.data_of(fields.recipe_text(asked))
    return recipes.found(data, name)
