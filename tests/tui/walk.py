"""What somebody does in ``zoo ui`` in tmux: watches a run, sees it die and how to resume it, looks for a model, copies
a command, fills in a form and starts it. Every screen on the way can be kept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from multiplexer import Tmux

Keep = Callable[[str, Tmux], None]
"""Gets the name of a screen, and the terminal that shows it."""


def walk(tmux: Tmux, release: subprocess.Popen[str], keep: Keep) -> None:
    """release: the process that writes the newest run, which is killed on the way."""
    tmux.until("1 running", "? keys")
    keep("runs", tmux)
    tmux.type("Enter")
    tmux.until("zoo release my-model", "running at step export")
    keep("run", tmux)
    tmux.type(":")
    tmux.until("a view and a name")
    tmux.type("log last", "Enter")
    tmux.until("log last", "zoo release my-model", "12 of 40 tensors")
    keep("log", tmux)
    release.kill()
    release.wait()
    tmux.type("Escape", "Escape")
    tmux.until("2 died")
    keep("died", tmux)
    tmux.type("Enter")
    tmux.until("died at step export", "zoo runs replay", gone="reading ...")
    tmux.type("x")
    tmux.until("Start a command as a process of its own?", "zoo release my-model")
    keep("resume", tmux)
    tmux.type("Escape")
    tmux.until("died at step export", gone="Start a command")
    tmux.type("3")
    tmux.until("smollm2-135m-instruct", "smollm2-tutor-57m")
    tmux.type("/")
    tmux.until("words that rows must have")
    tmux.type("tutor", "Enter")
    tmux.until("filter: tutor", "smollm2-tutor-57m", gone="smollm2-135m-instruct ")
    keep("filter", tmux)
    tmux.type("Enter")
    tmux.until("catalog smollm2-tutor-57m", "Next:", gone="reading ...")
    keep("model", tmux)
    tmux.type("8")
    tmux.until("Forms of commands")
    tmux.type("/")
    tmux.until("words that rows must have")
    tmux.type("caches", "Enter", "Enter")
    tmux.until("Form of zoo clean", "--dry-run")
    tmux.type("/")
    tmux.until("words that rows must have")
    tmux.type("dry-run", "Enter", "Enter")
    tmux.until("$ zoo clean --dry-run", "Every field is valid")
    keep("form", tmux)
    tmux.type("c")
    tmux.until("Copied: zoo clean --dry-run")
    keep("copied", tmux)
    assert tmux.copied() == "zoo clean --dry-run"
    tmux.type("x")
    tmux.until("Start a command as a process of its own?")
    keep("start", tmux)
    tmux.type("Enter")
    tmux.until("Nothing was deleted.", "exit code 0")
    keep("started", tmux)
    tmux.type("?")
    tmux.until("Mouse: hold shift")
    keep("keys", tmux)
    tmux.type("Escape")
    tmux.until("exit code 0", gone="Mouse: hold shift")
    tmux.type("q")
    assert tmux.ended() == 0
