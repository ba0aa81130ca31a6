"""The form of a command: its fields, the values in them, and the command line that they are. Pure.

The state of a form is its command line, as words: ``values`` reads it, ``words`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from catalog.problems import instead_of
from catalog.unseen import visible
from zoo.errors import InputError

Values = Mapping[str, tuple[str, ...]]
"""By the name of a field; a field without a value is not in it."""

ON = ("on",)
"""The value of a flag that is given."""


def _nothing_wrong(text: str) -> str:
    del text
    return ""


@dataclass(frozen=True)
class Field:
    """name: as a command line has it: ``--hub``, or ``RECIPE`` for an argument. also: its short name. key: what it
    sets; of fields with the same key, one counts. kind: a flag has no value, a list may have several. choices: the only
    values that are allowed. default: what holds without it. judge: what is wrong with a value, in the words of the
    command line; "" for nothing. missing: the words for a required field without a value; "" if it may be left out.
    """

    name: str
    key: str
    words: str
    kind: Literal["flag", "value", "list"] = "value"
    also: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""
    judge: Callable[[str], str] = field(default=_nothing_wrong, repr=False, compare=False)
    missing: str = ""

    @property
    def is_option(self) -> bool:
        """Whether it is written by its name; an argument is only its value."""
        return self.name.startswith("-")


@dataclass(frozen=True)
class Form:
    """path: the words of the command after ``zoo``. help: its paragraphs."""

    path: tuple[str, ...]
    help: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field with a name. Raises InputError."""
        known = {name: one for one in self.fields for name in (one.name, one.also) if name}
        if name not in known:
            options = [one for one in known if one.startswith("--")]
            raise InputError(f"zoo {' '.join(self.path)} has no {visible(name)}", remedy=instead_of(name, options))
        return known[name]


class Forms(Protocol):
    """Where forms come from: the command line itself."""

    @property
    def commands(self) -> Mapping[str, str]:
        """Every command with its short help."""

    def below(self, command: str) -> Sequence[Form]:
        """The forms of a command: one, or one for each command of a group."""


class NoForms:
    """Where there is no command line."""

    @property
    def commands(self) -> Mapping[str, str]:
        """None."""
        return {}

    def below(self, command: str) -> Sequence[Form]:
        """None."""
        del command
        return ()


def words(form: Form, values: Values) -> tuple[str, ...]:
    """The command line after ``zoo``. What is the default is left out."""
    options: list[str] = []
    for one in form.fields:
        given = values.get(one.name, ())
        if not one.is_option or given == (one.default,):
            continue
        options += [one.name] * bool(given) if one.kind == "flag" else [w for v in given for w in (one.name, v)]
    arguments = _arguments(form, values)
    if any(word.startswith("-") for word in arguments):
        return (*form.path, *options, "--", *arguments)
    return (*form.path, *arguments, *options)


def _arguments(form: Form, values: Values) -> list[str]:
    """Their places say which they are, so before one that is given, the defaults of others are written."""
    fields = [one for one in form.fields if not one.is_option]
    last = max((n for n, one in enumerate(fields) if _given(one, values)), default=-1)
    found = [values.get(one.name) or ((one.default,) if one.default else ()) for one in fields[: last + 1]]
    return [word for given in found for word in given]


def _given(one: Field, values: Values) -> bool:
    return values.get(one.name, ()) not in ((), (one.default,))


def values(form: Form, line: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The values of a command line, without the words of its command; the last one counts, as the command line has it.
    Raises InputError for an option that the command does not have, and for too many arguments."""
    found: dict[str, tuple[str, ...]] = {}
    arguments: list[str] = []
    rest = list(line)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        name, has_value, value = word.partition("=")
        one = form.field(name)
        if one.kind == "flag":
            found = with_value(form, found, one, ON)
            continue
        if not has_value and not rest:
            raise InputError(f"{one.name} needs a value", remedy=f"See: zoo {' '.join(form.path)} --help")
        before = found.get(one.name, ()) if one.kind == "list" else ()
        found = with_value(form, found, one, (*before, value if has_value else rest.pop(0)))
    return found | _placed(form, arguments)


def _placed(form: Form, arguments: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    rest = list(arguments)
    for one in form.fields:
        if one.is_option or not rest:
            continue
        taken = len(rest) if one.kind == "list" else 1
        found[one.name], rest = tuple(rest[:taken]), rest[taken:]
    if rest:
        where = f"zoo {' '.join(form.path)}"
        raise InputError(f"{where} takes no {visible(rest[0])}", remedy=f"See: {where} --help")
    return found


def with_value(form: Form, before: Values, one: Field, given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The values with another one in a field; () takes it away. What excludes it is taken away too."""
    others = {other.name for other in form.fields if other.key == one.key}
    found = {name: value for name, value in before.items() if name not in others}
    if given:
        found[one.name] = given
    return found


def problems(form: Form, given: Values) -> dict[str, str]:
    """What is wrong, by the name of the field, in the words of the command line."""
    found: dict[str, str] = {}
    for one in form.fields:
        given_here = given.get(one.name, ())
        wrong = [one.missing] if not given_here else [one.judge(text) for text in given_here if one.kind != "flag"]
        if first := next(filter(None, wrong), ""):
            found[one.name] = first
    return found
