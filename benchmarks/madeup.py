"""A release whose files are random bytes, on a folder hub behind its own server, for benchmarks of transfer."""

from __future__ import annotations

import dataclasses
import random
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from catalog import index
from catalog.index import Catalog
from catalog.release import Architecture, Location, Model, ModelFile, RecipeRecord, Release, Repository
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer
from zoo.progress import unheard

NAME, QUANT = "madeup", "Q8_0"
REPOSITORY = "local/madeup-gguf"
FILE = f"{NAME}-{QUANT}.gguf"
_BLOCK = 1 << 24
_ANSWER = re.compile(r"GET \S*/resolve/\S* (\d{3}) (\d+) B")


@dataclass
class Served:
    """A zoo with one release, and the address that serves its hub. ``lines`` is the server's log."""

    zoo: Path
    address: str
    commit: str
    size_bytes: int
    lines: list[str] = field(default_factory=list)

    def sent_bytes(self) -> int:
        """Bytes of contents in answers since the last call; resets the count."""
        lines = list(self.lines)
        self.lines.clear()
        found = [match for line in lines if (match := _ANSWER.match(line))]
        return sum(int(match[2]) for match in found if match[1] in ("200", "206"))


@contextmanager
def served(large_bytes: int, small_files: int, small_bytes: int = 20_000) -> Iterator[Served]:
    """A release of one large file and ``small_files`` small ones, manifest and sums among them."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as name:
        folder = Path(name)
        (folder / "zoo.toml").touch()
        sizes = {FILE: large_bytes, **{f"part-{n}.json": small_bytes for n in range(small_files - 2)}}
        hub = FolderHub(folder / "build" / "hub")
        commit = _publish(hub, folder, sizes)
        made = Served(folder, "", commit, large_bytes)
        server = HubServer(hub.folder, "127.0.0.1", 0, Access(), made.lines.append)
        made.address = server.address
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()
            server.server_close()


def _publish(hub: FolderHub, folder: Path, sizes: Mapping[str, int]) -> str:
    repo = hub.repo("model", *REPOSITORY.split("/"))
    scratch = folder / "scratch"
    scratch.mkdir()
    records = []
    for number, (path, size) in enumerate(sizes.items()):
        _fill(scratch / path, size, random.Random(number))
        records.append(FileRecord(path, size, sha256_file(scratch / path)))
    listed = sorted(records)
    manifest = {"name": NAME, "version": "1.0.0", "files": [vars(record) for record in listed]}
    (scratch / "MANIFEST.json").write_text(pretty_json(manifest), encoding="utf-8")
    sums = "".join(f"{record.sha256}  {record.path}\n" for record in listed)
    (scratch / "SHA256SUMS").write_text(sums, encoding="utf-8")
    accounts = [scratch / "MANIFEST.json", scratch / "SHA256SUMS"]
    records += [FileRecord(path.name, path.stat().st_size, sha256_file(path)) for path in accounts]
    for record in records:
        repo.put(scratch / record.path, record.sha256, unheard)
        (scratch / record.path).unlink()
    scratch.rmdir()
    commit = repo.commit(None, records, [], "1.0.0")
    repo.tag("v1.0.0", commit)
    text = index.to_text(catalog_of(records[0], commit))
    (folder / "model_catalog.json").write_text(text, encoding="utf-8")
    return commit


def _fill(path: Path, size: int, source: random.Random) -> None:
    with path.open("wb") as stream:
        for at in range(0, size, _BLOCK):
            stream.write(source.randbytes(min(_BLOCK, size - at)))


def catalog_of(record: FileRecord, commit: str) -> Catalog:
    """A catalog with one release of one file."""
    file = ModelFile(
        record.path, QUANT, record.size_bytes, record.sha256, 8.5, 1, 0, (), 1.0, 0.0, None, True, ()
    )
    release = Release(
        "1.0.0", "2026-11-24", "CC0-1.0", Architecture("llama", 1, 2048, 1, 1, None), (file,), None, None, (), (), (),
        RecipeRecord("madeup.yaml", "0" * 64, ""),
        Location("folder", Repository(REPOSITORY, commit, "v1.0.0"), None),
    )  # fmt: skip
    model = Model(NAME, "Random bytes.", "chat", ("en",), ("benchmarks",), (), ("everything",), ())
    return Catalog((dataclasses.replace(model, releases=(release,)),))
