"""Every reader of files that others may have written, and ways to damage such files. For tests.

A reader takes the damaged bytes and its own folder. It returns its messages, or raises a ZooError.
"""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

SECONDS = 2.0
"""The longest time for an answer, of this process's own time: how long people wait before they suspect a hang."""
LONGEST_LINE = 1500
LONGEST = 100_000

Reader = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Case:
    """A reader and a valid file for it. form: json, lines (of JSON), text or binary.

    one_in: it takes longer, so only one damaged file in so many is tried.
    """

    name: str
    form: str
    sound: bytes
    read: Reader
    one_in: int = 1


class TooLong(BaseException):
    """Not an Exception, so that no reader mistakes it for a broken file."""


@contextmanager
def own_time(seconds: float) -> Iterator[None]:
    """Raises TooLong in the body once this process worked so long on it."""

    def too_long(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def faults(case: Case, raw: bytes, folder: Path) -> str:
    """What is wrong with the answer to ``raw``, "" if a person can use it."""
    said: object = ""
    started = time.process_time()
    try:
        with own_time(10 * SECONDS):
            said = case.read(raw, folder)
    except ZooError as error:
        said = str(error)
    except TooLong:
        return "no answer at all"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    if (took := time.process_time() - started) > SECONDS:
        return f"took {took:.1f} s"
    text = said if isinstance(said, str) else ""
    if "bug in zoo" in text or "Traceback" in text:
        return text[:200]
    if len(text) > LONGEST or any(len(line) > LONGEST_LINE for line in text.splitlines()):
        return f"an answer of {len(text)} characters"
    return ""


# --- Damage

_RAW = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "-0", "1" + "0" * 400, "9" * 5000, str(2**53 + 1),
    str(-(2**63)), "18446744073709551616", "0.1", "null", "true", "{}", "[]", '""', '"\\ud800"', '"\\u0000"',
    '"\\u202e"', '"../../etc/passwd"', '"/dev/zero"', '"' + "x" * 100_000 + '"', "[" * 600 + "]" * 600,
    "[" * 50_000, '{"a":' * 600 + "1" + "}" * 600, '"https://u:p@h/"', '"\\n\\n"', '"1.0.0"', "-1", "1", "[null]",
    '{"a": {}}', '[[1, 2], [3]]', '"NaN"', '"é\\u0301"', "99999999999999",
)  # fmt: skip
"""JSON, or text that looks like it, to replace any value."""

_BYTES = (
    b"", b"\x00", b"\xff", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\n", b"\r\n", b"\xef\xbb\xbf", b"---\n", b"&a [*a]",
    b"!!python/object", b"{{", b"<!--", b"\xe2\x80\xa8", b"\x1b[2J", b"\xc3", b"9" * 400, b": " * 50, b"- " * 300,
    b"[" * 3000, b"{" * 3000, b'"', b"'", b"%", b"\t", b"\x80\x00\x00\x00\x00\x00\x00\x00",
)  # fmt: skip


def damaged(case: Case, rng: random.Random) -> bytes:
    """The valid file with one to four changes."""
    raw = case.sound
    if case.form in ("json", "lines") and rng.random() < 0.7:
        raw = _other_values(raw, case.form, rng)
    for _ in range(rng.randint(0 if raw != case.sound else 1, 3)):
        raw = _other_bytes(raw, rng)
    return raw


def _other_bytes(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw) + 1)
    if rng.random() < 0.5:
        at = min(at, rng.randrange(400))  # headers are at the beginning
    match rng.randrange(6):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
        case 2:
            return raw[:at] + raw[at + rng.randrange(40) :]
        case 3:
            return raw[:at] + raw[max(0, at - rng.randrange(200)) :]
        case 4:
            piece = rng.choice(_BYTES)
            return raw[:at] + piece + raw[at + len(piece) :]
        case _:
            return raw[:at] + rng.choice(_BYTES) + raw[at:]


def _other_values(raw: bytes, form: str, rng: random.Random) -> bytes:
    lines = raw.decode().splitlines() if form == "lines" else [raw.decode()]
    number = rng.randrange(len(lines))
    data = json.loads(lines[number])
    put = []
    for _ in range(rng.randint(1, 2)):
        places = list(_places(data))
        if not places:
            break
        container, key = rng.choice(places)
        if rng.random() < 0.15:
            del container[key]
            continue
        if rng.random() < 0.1 and isinstance(container, dict):
            container[f"{key}2"] = container[key]
            continue
        put.append(rng.choice(_RAW))
        container[key] = f"@@{len(put) - 1}@@"
    text = json.dumps(data, ensure_ascii=False, indent=None if form == "lines" else 2)
    lines[number] = re.sub(r'"@@(\d)@@"', lambda found: put[int(found[1])], text)
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    below = (
        list(data.items())
        if isinstance(data, dict)
        else list(enumerate(data))
        if isinstance(data, list)
        else []
    )
    for key, value in below:
        yield data, key
        yield from _places(value)
