"""The fixed clock for other libraries, which render a template with today's date.

They do not accept a clock: transformers converts a given function to text, and llama-cpp-python passes its own. So the
clock goes into the template: a macro of the same name is put before it, which every jinja2 runs in the same way.
"""

from __future__ import annotations

import functools
import string

from catalog.templateclock import strftime_now

NAME = "strftime_now"


def with_fixed_clock(template: str) -> str:
    """The template, unchanged if it does not use the clock, else with a macro in front that replaces it."""
    return _macro() + template if NAME in template else template


@functools.cache
def _macro() -> str:
    """``strftime_now(format)``: every strftime code, with each of glibc's flags, replaced by what it gives.

    A line break after the last tag belongs to it (``trim_blocks``), so that the template begins a line as before.
    """
    codes = [f"%{flag}{letter}" for flag in ("", *"-_0^#") for letter in string.ascii_letters]
    given = {code: strftime_now(code) for code in codes}
    pairs = ", ".join(f"[{_jinja(code)}, {_jinja(text)}]" for code, text in given.items() if text != code)
    return (
        f"{{%- macro {NAME}(format) -%}}{{%- for part in format.split('%%') -%}}"
        "{%- set date = namespace(text=part) -%}"
        f"{{%- for code, given in [{pairs}] -%}}"
        "{%- set date.text = date.text|replace(code, given) -%}{%- endfor -%}"
        "{{- date.text -}}{%- if not loop.last -%}{{- '%' -}}{%- endif -%}"
        "{%- endfor -%}{%- endmacro %}\n"
    )


def _jinja(text: str) -> str:
    """A string literal of jinja2."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"
