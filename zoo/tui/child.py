"""A command that the program in the terminal started, as a process of its own session: it lives on when the program is
closed, and what it prints goes to a file that both have open."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from zoo.settings import PREFIX, Settings
from zoo.views.screen import Screen

TAIL_BYTES = 64 << 10
"""Of the output that is shown."""


class Child:
    """words: the command without ``zoo``. columns: of what it prints."""

    def __init__(self, words: Sequence[str], settings: Settings, columns: int = 80) -> None:
        self.words = tuple(words)
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this is
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "zoo", *words], cwd=settings.root, env=_environment(settings, columns),
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def screen(self) -> Screen:
        """The command, what it printed last, and its exit code once it has ended."""
        code = self._process.poll()
        size = os.fstat(self._out.fileno()).st_size
        raw = os.pread(self._out.fileno(), TAIL_BYTES, max(size - TAIL_BYTES, 0))
        return shown(self.words, raw.decode("utf-8", "replace"), code)


def shown(words: Sequence[str], printed: str, code: int | None) -> Screen:
    """A command as a screen. code: None while it works."""
    state = "it works now; closing this program does not end it" if code is None else f"exit code {code}"
    # A terminal would overwrite a line after a carriage return.
    lines = [line.rpartition("\r")[2] for line in printed.replace("\r\n", "\n").split("\n")]
    # What a dry run showed can be done next.
    whole = [word for word in words if word != "--dry-run"]
    commands = (f"zoo {shlex.join(whole)}",) if code == 0 and len(whole) < len(words) else ()
    # The state is last: of a long output, the end is shown.
    parts = (text, state) if (text := "\n".join(lines).rstrip()) else (state,)
    return Screen(f"$ zoo {shlex.join(words)}", parts, commands)


def _environment(settings: Settings, columns: int) -> dict[str, str]:
    """With the settings that this program got as flags."""
    flags = {name: value.text for name, value in settings.values.items() if value.origin.startswith("flag")}
    given = {f"{PREFIX}{name.upper()}": text for name, text in flags.items()}
    return {**os.environ, "COLUMNS": str(columns), **given}


def startable(command: str, *, exact: bool = False) -> tuple[str, ...] | None:
    """The words of a line of ``Screen.commands`` without ``zoo``; None for one that only shows what this program shows
    too, and if a word is a placeholder such as NAME. exact: somebody wrote it, so every word is meant."""
    try:
        name, *words = shlex.split(command)
    except ValueError:
        return None
    if exact:
        return tuple(words) if name == "zoo" and words else None
    placeholder = any(word.isupper() and word.replace("@", "").isalpha() for word in words)
    return None if placeholder or name != "zoo" or not words or words[0] in _SHOWING else tuple(words)


_SHOWING = ("ui", "runs", "bench", "show")
"""Commands that have a view here."""
