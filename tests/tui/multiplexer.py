"""``zoo`` in tmux, used as a person does: keys are sent, and what the pane shows is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import waiting
from terminal import REPOSITORY

COMMAND = shutil.which("tmux") or ""
"""Empty where tmux is not installed."""


class Tmux:
    """A server of its own with ``python -m zoo`` in its only pane."""

    def __init__(self, folder: Path, *words: str, size: tuple[int, int] = (80, 24), **more: str) -> None:
        # The path of a socket may have 107 characters, which a folder of a test often exceeds.
        self._home = Path(tempfile.mkdtemp(prefix="zoo-tmux-"))
        # tmux itself does not always hear how a program ended.
        self._code = self._home / "code"
        path = os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))
        named = {**more, "PYTHONPATH": path}
        environment = [word for name, value in named.items() for word in ("-e", f"{name}={value}")]
        # Copying, and a pane that stays after its program has ended.
        (self._home / "conf").write_text("set -g set-clipboard on\nset -g remain-on-exit on\n", encoding="utf-8")
        self._run(
            "-f", str(self._home / "conf"), "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]),
            "-c", str(folder), *environment, "sh", "-c", '"$@"; echo $? >"$0"', str(self._code),
            sys.executable, "-m", "zoo", *words,
        )  # fmt: skip

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [COMMAND, "-S", str(self._home / "socket"), *words], capture_output=True, check=False, text=True,
            env={key: value for key, value in os.environ.items() if key != "TMUX"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened, nothing is left."""
        self._run("kill-server")
        shutil.rmtree(self._home)

    def type(self, *keys: str) -> None:
        """Names of keys, such as Enter, or texts."""
        self._run("send-keys", *keys)

    def shown(self, *, coloured: bool = False) -> str:
        """What the pane shows now. coloured: with the sequences of its colours."""
        return self._run("capture-pane", "-p", *(["-e", "-N"] if coloured else []))

    def until(self, *words: str, gone: str = "") -> str:
        """Wait until the pane shows all these words, and what is gone no more. Returns what it shows then."""
        seen = [""]

        def there() -> bool:
            seen[0] = self.shown()
            return all(one in seen[0] for one in words) and not (gone and gone in seen[0])

        try:
            waiting.until(there)
        except AssertionError as error:
            raise AssertionError(f"{words} did not come:\n{seen[0]}") from error
        return seen[0]

    def copied(self) -> str:
        """What was copied last; empty before."""
        return self._run("show-buffer") if self._run("list-buffers") else ""

    def resize(self, columns: int, rows: int) -> None:
        """As if somebody had changed the size of the window."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def ended(self) -> int:
        """Wait for the end of the program. Returns its exit code."""
        waiting.until(lambda: self._code.exists() and self._code.read_text(encoding="utf-8"), "it did not end")
        return int(self._code.read_text(encoding="utf-8"))
