"""A chat template in jinja2's immutable sandbox, set up as transformers does, with a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from catalog.templateclock import strftime_now
from zoo.errors import ModelFileError


def render_template(
    template: str,
    messages: Sequence[Mapping[str, str]],
    *,
    special: Mapping[str, str],
    add_generation_prompt: bool,
) -> str:
    """The prompt text of ``messages``. special: texts of the special tokens by the name that templates know
    (``bos_token``, ``eos_token``, ...).

    Raises ModelFileError with the template's own complaint or jinja2's.
    """
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_generation_tag(), jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _raise, "strftime_now": strftime_now}
    try:
        return environment.from_string(template).render(
            {
                **special,
                "messages": [dict(message) for message in messages],
                "tools": None,
                "documents": None,
                "add_generation_prompt": add_generation_prompt,
            }
        )
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise ModelFileError(f"the chat template cannot be rendered: {error}") from error


def _generation_tag() -> Any:
    """Transformers' ``{% generation %}`` block marks the assistant's text for training; here it is its
    content.
    """
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012  # jinja2's own declaration is an instance attribute

        def parse(self, parser: Any) -> Any:
            parser.stream.skip(1)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return GenerationTag


def _tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _raise(message: str) -> NoReturn:
    raise ValueError(message)
