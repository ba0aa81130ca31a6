"""The files of a corpus are read once, in blocks, and their lines are those of the complete text."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from catalog import corpusfiles

OPENED = """
import collections, json, os, sys
seen = collections.Counter()
sys.addaudithook(lambda event, told: event == "open" and seen.update([os.fspath(told[0])])
                 if event == "open" and isinstance(told[0], (str, os.PathLike)) else None)
from pathlib import Path
from zoo import settings
from zoo.plan import prepare
prepare.make_plan("smollm2-tutor-57m", settings.load(Path(sys.argv[1]), {}, {}))
print(json.dumps({path: count for path, count in seen.items() if "/corpora/" in path}))
"""


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_lines_are_those_of_the_complete_text(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(corpusfiles, "_BLOCK", block)
    dice = random.Random(block)
    for _ in range(200):
        raw = b"".join(dice.choice((b"a", b"\n", b"\r", b"\r\n", b"", "\ufeffé".encode())) for _ in range(12))
        lines = corpusfiles._Lines(io.BytesIO(raw))
        assert list(lines) == raw.splitlines()
        assert (lines.sha256.hexdigest(), lines.feeds) == (hashlib.sha256(raw).hexdigest(), raw.count(b"\n"))


def test_a_plan_reads_every_file_of_its_corpus_once(zoo_folder: Path) -> None:
    command = [sys.executable, "-c", OPENED, str(zoo_folder)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    read = {path: count for path, count in found.items() if path.startswith(str(zoo_folder))}
    assert len(read) >= 3 and set(read.values()) == {1}, read
