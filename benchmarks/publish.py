"""Publishing a release, compared with ``upload_folder`` of the same folder to the same server: 60 MB and 10 small
files.

A publishes, verifies and tags; the client's own ``upload_folder`` only uploads and commits. Both run in this process,
each time into a new repository. The settings also have, for A and for ``hf upload``, the requests and bytes of a first
publication, of a repetition and of one edited card, counted at the server; with ``--sparse-bytes N`` also the memory
for publishing one sparse file of N bytes, and with ``--processes N`` the wall time of N complete processes, including
imports, in turn with as many of ``hf upload``. The process of A starts after the recipe is read.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import commands, madeup, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.files.listing import FileRecord, records
from zoo.hub import connect
from zoo.hub.server import Access, HubServer
from zoo.progress import Silent
from zoo.publish.apply import Publication, apply
from zoo.release import NOWHERE, ReleaseFolder

PAIRS = 15
LARGE_BYTES, SMALL_FILES, SMALL_BYTES = 60_000_000, 10, 20_000
MEMORY_LIMIT_BYTES = 300_000_000


@dataclass
class Bench:
    """A zoo with release folders 1.0.0 and 1.0.1, which differ in the card, and a server that counts."""

    zoo: Path
    server: HubServer
    requests: int = 0
    received_bytes: int = 0

    def counted(self, work: Any) -> dict[str, int]:
        """Requests, and bytes of their bodies, that ``work()`` made."""
        self.requests = self.received_bytes = 0
        work()
        return {"requests": self.requests, "sent_bytes": self.received_bytes}


@contextmanager
def bench() -> Iterator[Bench]:
    """The zoo and its server, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as name:
        zoo = Path(name)
        (zoo / "zoo.toml").touch()
        for version in ("1.0.0", "1.0.1"):
            folder = release_folder(zoo, version) / "model"
            folder.mkdir(parents=True)
            source = random.Random(1)
            (folder / madeup.FILE).write_bytes(source.randbytes(LARGE_BYTES))
            for number in range(SMALL_FILES - 1):
                (folder / f"part-{number}.json").write_bytes(source.randbytes(SMALL_BYTES))
            (folder / "README.md").write_text(f"# Random bytes {version}\n", encoding="utf-8")
        server = HubServer(zoo / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
        made, answer = Bench(zoo, server), server.answer

        def counting(request: Any) -> Any:
            made.requests += 1
            made.received_bytes += request.left
            return answer(request)

        server.answer = counting
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()
            server.server_close()


def release_folder(zoo: Path, version: str) -> Path:
    """Where ``zoo build`` would have put it."""
    return zoo / "build" / "releases" / madeup.NAME / version


def publish(zoo: Path, version: str, address: str, name: str) -> None:
    """What ``zoo publish`` does after the recipe is read: upload, commit, verify, tag."""
    folder = release_folder(zoo, version)
    # As recorded by zoo build: nothing is hashed here.
    listed = [line.split("\t") for line in (folder / "files").read_text(encoding="utf-8").splitlines()]
    files = tuple(FileRecord(path, int(size), sha256) for path, size, sha256 in listed)
    model = madeup.catalog_of(files[0], "0" * 40).models[0]
    release = dataclasses.replace(model.releases[0], version=version, location=NOWHERE)
    ready = ReleaseFolder(folder, "key", dataclasses.replace(model, releases=()), release, (), files, ())
    place = Publication(ready, (name, None), settings_room.load(zoo, {}, {}), connect(address, zoo))
    apply(place, Silent())


def note_files(zoo: Path, version: str) -> None:
    """The digests of a release folder, as its record has them."""
    folder = release_folder(zoo, version)
    lines = [f"{file.path}\t{file.size_bytes}\t{file.sha256}\n" for file in records(folder / "model")]
    (folder / "files").write_text("".join(lines), encoding="utf-8")


def zoo_side(made: Bench, name: str, version: str = "1.0.0") -> int:
    """Publishes in a separate process; returns its largest memory in bytes."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.publish",
        "--worker",
        str(made.zoo),
        version,
        made.server.address,
        name,
    ]
    return int(commands.output(command, Path(__file__).parent.parent, environment(made)))


def hf_side(made: Bench, name: str, version: str = "1.0.0") -> None:
    """``hf upload`` of the same folder."""
    folder = release_folder(made.zoo, version) / "model"
    command = [commands.find("hf"), "upload", f"local/{name}", str(folder), ".", "--quiet"]
    commands.output(command, made.zoo, environment(made))


def environment(made: Bench) -> dict[str, str]:
    """Environment of both: a token that nobody checks, no xet storage, no check for a newer version of hf."""
    more = {"HF_ENDPOINT": made.server.address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    home = {
        "HF_HOME": str(made.zoo / "hf-home"),
        "HF_TOKEN": "any-token",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    return {**commands.ENVIRONMENT, **more, **home}


def costs(made: Bench, side: Any, name: str) -> dict[str, dict[str, int]]:
    """What a first publication, a repetition and one edited card cost."""
    return {
        "first": made.counted(lambda: side(made, name)),
        "again": made.counted(lambda: side(made, name)),
        "one_card_edited": made.counted(lambda: side(made, name, "1.0.1")),
    }


def memory(made: Bench, size: int) -> dict[str, int]:
    """The largest memory of a process that publishes one sparse file of ``size`` bytes."""
    folder = release_folder(made.zoo, "2.0.0") / "model"
    folder.mkdir(parents=True)
    with (folder / madeup.FILE).open("wb") as stream:
        stream.truncate(size)
    note_files(made.zoo, "2.0.0")
    found = zoo_side(made, "sparse-gguf", "2.0.0")
    return {"sparse_bytes": size, "peak_memory_bytes": found, "limit_bytes": MEMORY_LIMIT_BYTES}


def whole_processes(made: Bench, count: int) -> dict[str, Any]:
    """Wall seconds of a first publication as a separate process, including imports, in turn; every sample."""
    samples: dict[str, list[float]] = {"zoo": [], "hf upload": []}
    for number in range(count):
        for label, side in (("zoo", zoo_side), ("hf upload", hf_side)):
            forget(made)
            began = time.perf_counter()
            side(made, f"process-{number}-{label.partition(' ')[0]}")
            samples[label].append(time.perf_counter() - began)
    middle = {label: statistics.median(found) for label, found in samples.items()}
    return {"wall_seconds": samples, "median_seconds": middle, "ratio": middle["zoo"] / middle["hf upload"]}


def forget(made: Bench) -> None:
    """Remove the contents on the hub and the records of the last publication."""
    for path in (made.zoo / "hub" / "objects").glob("*/*"):
        path.unlink()
    for path in release_folder(made.zoo, "1.0.0").parent.glob("1.0.0.*"):
        path.unlink()


def published(made: Bench, numbers: Iterator[int]) -> Work:
    """A first publication."""

    def run() -> dict[str, Any]:
        forget(made)
        began = time.perf_counter()
        counted = made.counted(
            lambda: publish(made.zoo, "1.0.0", made.server.address, f"run-{next(numbers)}")
        )
        return {"wall_seconds": time.perf_counter() - began, **counted}

    return run


def uploaded(made: Bench, numbers: Iterator[int]) -> Work:
    """The client's own ``upload_folder`` into a new repository."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    api = HfApi(endpoint=made.server.address, token="any-token")

    def upload() -> None:
        name = f"local/run-{next(numbers)}"
        api.create_repo(name)
        api.upload_folder(repo_id=name, folder_path=release_folder(made.zoo, "1.0.0") / "model")

    def run() -> dict[str, Any]:
        forget(made)
        began = time.perf_counter()
        counted = made.counted(upload)
        return {"wall_seconds": time.perf_counter() - began, **counted}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The two ways, and their requests and bytes."""
    with bench() as made:
        for version in ("1.0.0", "1.0.1"):
            note_files(made.zoo, version)
        say("counting requests")
        counted = {"zoo": costs(made, zoo_side, "zoo-gguf")}
        forget(made)
        counted["hf upload"] = costs(made, hf_side, "hf-gguf")
        _refuse_dear(counted["zoo"])
        sizes: dict[str, Any] = {"large_bytes": LARGE_BYTES, "small_files": SMALL_FILES}
        if arguments.sparse_bytes:
            say("publishing a sparse file")
            sizes["memory"] = memory(made, arguments.sparse_bytes)
        if arguments.processes:
            say("publishing in processes of their own")
            sizes["whole_processes"] = whole_processes(made, arguments.processes)
        numbers = itertools.count()
        yield Comparison(
            name="publish",
            question="How long does a verified, tagged publication take, compared with upload_folder of the same "
            "files?",
            a=Side("publish, verify and tag", published(made, numbers)),
            b=Side("upload_folder", uploaded(made, numbers)),
            target=Target("ratio", at_most=1.2),
            packages=("huggingface-hub", "httpx2", "httpx", "hf-xet"),
            settings={
                **sizes,
                "counted": counted,
                "environment": {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"},
            },
            spread_maximum=0.25,
        )


def _refuse_dear(found: dict[str, dict[str, int]]) -> None:
    """Raises ZooError if a publication makes more requests or sends more bytes than allowed."""
    total = LARGE_BYTES + SMALL_FILES * SMALL_BYTES
    bounds = {"first": (12, 1.02 * total), "again": (2, 0), "one_card_edited": (7, 0.001 * total)}
    for name, (requests, size) in bounds.items():
        if found[name]["requests"] > requests or found[name]["sent_bytes"] > size:
            raise ZooError(
                f"{name}: {found[name]}, at most {requests} requests and {size:.0f} bytes are allowed"
            )


def worker(zoo: str, version: str, address: str, name: str) -> int:
    """One publication, and the largest memory of this process in bytes."""
    publish(Path(zoo), version, address, name)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("publish", str(__doc__).splitlines()[0], PAIRS)
    parser.add_argument(
        "--sparse-bytes", type=int, default=0, metavar="N", help="also publish a sparse file of N bytes"
    )
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="also compare N complete processes with hf upload"
    )
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    # The client reads these when it is imported. The server has no xet storage.
    os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_TOKEN": "any-token"}
    if arguments.worker:
        return worker(*arguments.worker)
    return pairs.main(arguments, prepare)


if __name__ == "__main__":
    sys.exit(main())
