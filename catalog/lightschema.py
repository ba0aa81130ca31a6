"""jsonschema without the formats that no schema of ours uses.

Where packages for such formats happen to be installed, jsonschema compiles their grammars at import, which took 1.5
seconds, at the start of every command.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from referencing import Registry

_FORMATS = (
    "fqdn", "isoduration", "jsonpointer", "rfc3339_validator", "rfc3986_validator", "rfc3987", "rfc3987_syntax",
    "uri_template", "webcolors",
)  # fmt: skip
_hidden = [name for name in _FORMATS if name not in sys.modules]
# None makes an import fail, which the declared type of sys.modules does not cover.
_modules: dict[str, ModuleType | None] = vars(sys)["modules"]
for _name in _hidden:
    _modules[_name] = None

import jsonschema  # noqa: E402 - while they are hidden
from jsonschema.exceptions import ValidationError  # noqa: E402 - while they are hidden
from referencing.exceptions import Unresolvable  # noqa: E402 - jsonschema imports it too

for _name in _hidden:
    del sys.modules[_name]


def no_documents() -> Registry[bool | Mapping[str, object]]:
    """What a validator of a stranger's schema knows of other documents: nothing. Without it, jsonschema opens the
    addresses that a schema refers to."""
    from referencing import Registry

    return Registry()


__all__ = ["Unresolvable", "ValidationError", "jsonschema", "no_documents"]
