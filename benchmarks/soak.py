"""Many simultaneous downloads from ``zoo hub serve``: every one must be complete. No comparison, so no pairs.

The server runs in a separate process, as for users; the readers are threads here, each with its own connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import commands
from benchmarks.pairs import tell
from pi_runtime import system
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.listing import FileRecord
from zoo.files.whole import write_atomic
from zoo.hub import FolderHub
from zoo.progress import unheard

READERS, MEGABYTES = 200, 100
_PIECE = 1 << 20


def soak(readers: int, megabytes: int) -> dict[str, Any]:
    """``readers`` downloads of one file at the same time; what went wrong, and how long it took."""
    with tempfile.TemporaryDirectory(prefix="zoo-soak-") as name:
        folder, size = Path(name), megabytes * 1_000_000
        expected = _fill(folder, size)
        command = [commands.find("zoo"), "hub", "serve", str(folder / "hub"), "--port", "0", "--json"]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert process.stdout
            text = ""
            while not text.endswith("}\n"):
                text += process.stdout.readline()
            port = int(json.loads(text)["address"].rpartition(":")[2])
            began = time.perf_counter()
            wrong = _read_all(readers, port, size, expected)
            seconds = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait()
    return {
        "schema": "soak/1", "readers": readers, "file_bytes": size, "wall_seconds": seconds,
        "bytes_per_second": readers * size / seconds, "wrong": wrong, "machine": system.device(None),
    }  # fmt: skip


def _fill(folder: Path, size: int) -> int:
    """A hub with one file of ``size`` bytes, no two megabytes of it equal; its CRC-32."""
    (folder / "zoo.toml").touch()
    source, crc = folder / "source", 0
    with source.open("wb") as stream:
        for number in range(0, size, _PIECE):
            piece = (f"{number:016d}".encode() * (_PIECE // 16))[: min(_PIECE, size - number)]
            crc = zlib.crc32(piece, crc)
            stream.write(piece)
    record = FileRecord("big.gguf", size, sha256_file(source))
    repo = FolderHub(folder / "hub").repo("model", "local", "m")
    repo.put(source, record.sha256, unheard)
    repo.commit(None, [record], [], "1.0.0")
    return crc


def _read_all(readers: int, port: int, size: int, expected: int) -> list[str]:
    wrong = list[str]()

    def read() -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            connection.request("GET", "/local/m/resolve/main/big.gguf")
            answer, crc, got = connection.getresponse(), 0, 0
            while data := answer.read(_PIECE):
                crc, got = zlib.crc32(data, crc), got + len(data)
            if (answer.status, got, crc) != (200, size, expected):
                wrong.append(f"status {answer.status}, {got} bytes, CRC {crc}")
            connection.close()
        except OSError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if every download was complete."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("--readers", type=int, default=READERS, help="downloads at the same time, %(default)s")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES, help="size of the file, %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    arguments = parser.parse_args(argv)
    found = soak(arguments.readers, arguments.megabytes)
    text = pretty_json(found)
    sys.stdout.write(text)
    if arguments.out:
        write_atomic(arguments.out, text)
    tell(f"{arguments.readers} downloads, {len(found['wrong'])} of them wrong, {found['wall_seconds']:.1f} s")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
