"""Files that should hold text and hold something else: what, by their first bytes, and how to get the text. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from catalog import shell

NOT_UTF8 = "not UTF-8 text", "Save the file as UTF-8"
"""What is wrong with text in another encoding, and what to do."""


class Form(NamedTuple):
    """begins: the first bytes of such files. suffix: of their names. unpack: the command that writes the text of
    one file to another, by their paths. plain: what the name of the text ends in, where that is not in the name."""

    name: str
    begins: tuple[bytes, ...]
    suffix: str
    unpack: Callable[[str, str], str]
    plain: str = ""


def _frame(path: str, made: str) -> str:
    # Of JSON's kind, whose quotation marks need none of the shell's.
    there, here = (json.dumps(name, ensure_ascii=False) for name in (path, made))
    read = f'import pandas; pandas.read_parquet({there}).to_json({here}, orient="records", lines=True)'
    return f"pip install pandas pyarrow && python -c {shlex.quote(read)}"


def _by(command: str) -> Callable[[str, str], str]:
    return lambda path, made: f"{command} < {shell.argument(path)} > {shell.argument(made)}"


GZIP = Form("compressed with gzip", (b"\x1f\x8b",), ".gz", _by("gzip -dc"))
ZSTD = Form("compressed with zstd", (b"\x28\xb5\x2f\xfd",), ".zst", _by("zstd -dc"))
FORMS = (
    GZIP,
    ZSTD,
    Form(
        "compressed with bzip2", tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)), ".bz2", _by("bzip2 -dc")
    ),
    Form("compressed with xz", (b"\xfd7zXZ\x00",), ".xz", _by("xz -dc")),
    Form(
        "a zip archive", (b"PK\x03\x04",), ".zip",
        lambda path, made: f"unzip -p {shell.argument(path)} > {shell.argument(made)}",
    ),
    # The first field of what follows, a number in Thrift's compact protocol.
    Form("a Parquet table", (b"PAR1\x15",), ".parquet", _frame, ".jsonl"),
)  # fmt: skip
"""Beginnings: RFC 1952 (gzip), RFC 8878 (zstd), the documents of bzip2, xz, zip and Parquet. No text in UTF-8 begins as
gzip, zstd or xz do, and none that people write as the others do."""
LONGEST = max(len(begin) for form in FORMS for begin in form.begins)


def form_of(begin: bytes) -> Form | None:
    """What the first bytes of a file are, if not text."""
    return next((form for form in FORMS if begin.startswith(form.begins)), None)


def fault(begin: bytes, shown_as: str) -> tuple[str, str] | None:
    """What is wrong with a file that is not plain text, by its first bytes, and what to do; else None."""
    form = form_of(begin)
    return (f"the file is {form.name}, not plain text", _unpack(form, shown_as)) if form else None


def undecoded(raw: bytes, shown_as: str) -> tuple[str, str]:
    """What is wrong with the bytes of a file that are not UTF-8, and what to do."""
    return fault(raw, shown_as) or NOT_UTF8


def by_name(path: str) -> str:
    """What to do with a file whose name says that it is not plain text; "" for another name."""
    form = next((form for form in FORMS if path.endswith(form.suffix)), None)
    return _unpack(form, path) if form else ""


def _unpack(form: Form, path: str) -> str:
    bare = path.removesuffix(form.suffix)
    if bare == path or not PurePosixPath(bare).name:
        # Its name is already that of plain text, so the text takes its place.
        made = f"{path}.new"
        return f"Unpack it: {form.unpack(path, made)} && mv {shell.argument(made)} {shell.argument(path)}"
    return f"Unpack it: {form.unpack(path, bare + form.plain)}"
