"""A chat template in jinja2's immutable sandbox, set up as transformers does, with a fixed clock.

This runs somebody else's program, so only ``zoo.templates.worker`` calls it: in a process that can be killed. Imports
nothing but jinja2 and the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

from catalog.templateclock import strftime_now

NAME = "<template>"
"""jinja2's name in a traceback for a template given as text."""


class Refusal(Exception):
    """Why a template cannot be rendered, in words.

    kind: "its own" if the template itself refuses (``raise_exception``), "limit" if it uses too much, else "".
    """

    def __init__(self, why: str, kind: str = "") -> None:
        super().__init__(why)
        self.kind = kind


class _Raised(jinja2.TemplateError):
    """``raise_exception`` of a template."""


class Template:
    """One compiled template. Raises Refusal if it is not valid."""

    def __init__(self, text: str) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        environment.globals |= {
            "raise_exception": _raise,
            "strftime_now": self._now,
            "namespace": _Namespace,
            "dict": _Dict(),
        }
        # Random functions would give a different prompt every time.
        del environment.filters["random"], environment.globals["lipsum"]
        self.read_clock = False
        try:
            self._template = environment.from_string(text)
        except Exception as error:
            raise _refusal(error) from error

    def render(self, values: Mapping[str, object], most_characters: int) -> str:
        """The text for ``values``; ``read_clock`` then says whether it contains the date.

        Raises Refusal with the template's own complaint or jinja2's, and for more than ``most_characters``.
        """
        parts: list[str] = []
        room = most_characters
        self.read_clock = False
        try:
            for part in self._template.generate(values):
                parts.append(part)
                room -= len(part)
                if room < 0:
                    said = f"it writes more than {most_characters:,} characters for one conversation"
                    raise Refusal(said, "limit")
        except Refusal:
            raise
        except Exception as error:
            raise _refusal(error) from error
        return "".join(parts)

    def _now(self, format: str) -> str:
        self.read_clock = True
        return strftime_now(format)


class _Generation(jinja2.ext.Extension):
    """Transformers' ``{% generation %}`` block marks the assistant's text for training; here it is its content."""

    tags = {"generation"}  # noqa: RUF012  # jinja2's own declaration is an instance attribute

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

    def _content(self, caller: Callable[[], str]) -> str:
        return caller()


class _Dict:
    """``dict(...)`` and ``dict.fromkeys(...)``, and no other access to Python's type, as in transformers."""

    # Python's own type reports what is wrong with the arguments.
    def __call__(self, *args: Any, **more: Any) -> dict[object, object]:
        return dict(*args, **more)

    def fromkeys(self, *args: Any) -> dict[object, object]:
        return dict.fromkeys(*args)


class _Namespace(jinja2.utils.Namespace):
    """A namespace without names that begin with an underscore, as in transformers."""

    def __init__(*args: Any, **more: Any) -> None:
        self, rest = args[0], args[1:]
        found = dict(*rest, **more)
        for name in found:
            _Namespace._check(name)
        jinja2.utils.Namespace.__init__(self, found)

    def __setitem__(self, name: str, value: object) -> None:
        _Namespace._check(name)
        super().__setitem__(name, value)

    @staticmethod
    def _check(name: object) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace must not contain {name!r}: it begins with _")


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Not jinja2's own filter, which writes HTML's special characters as escapes."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> NoReturn:
    raise _Raised(message)


def _refusal(error: Exception) -> Refusal:
    """One line for people, with the template's line if known. MemoryError is raised unchanged."""
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, RecursionError):
        return Refusal("it recurses without end", "limit")
    said = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, jinja2.TemplateError):
        said = f"{type(error).__name__}: {said}"
    if isinstance(error, _Raised):
        return Refusal(said[:300], "its own")
    # The sandbox's limit of a range is one like ours.
    kind = "limit" if isinstance(error, OverflowError) and "MAX_RANGE" in said else ""
    line = error.lineno if isinstance(error, jinja2.TemplateSyntaxError) else _line(error)
    return Refusal(f"line {line} of the template: {said[:300]}" if line else said[:300], kind)


def _line(error: Exception) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (NAME, "<unknown>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
