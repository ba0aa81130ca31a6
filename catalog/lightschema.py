"""jsonschema without the formats that no schema of ours uses.

Where packages for such formats happen to be installed, jsonschema compiles their grammars at import, which took 1.5
seconds, at the start of every command.
"""

from __future__ import annotations

import sys

_FORMATS = (
    "fqdn", "isoduration", "jsonpointer", "rfc3339_validator", "rfc3986_validator", "rfc3987", "rfc3987_syntax",
    "uri_template", "webcolors",
)  # fmt: skip
_hidden = [name for name in _FORMATS if name not in sys.modules]
for _name in _hidden:
    # None makes an import of it fail, which the type of sys.modules does not foresee.
    sys.modules[_name] = None  # type: ignore[assignment]

import jsonschema  # noqa: E402 - while they are hidden
from jsonschema.exceptions import ValidationError  # noqa: E402 - while they are hidden

for _name in _hidden:
    del sys.modules[_name]

__all__ = ["ValidationError", "jsonschema"]
