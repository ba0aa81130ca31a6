"""A release's work with the catalog, with many models in it compared with one: check, plan, record and show.

Both catalogs are generated. Every run is a separate process that calls what the commands call: the catalog's part of
``zoo check``, the check whether the version is taken, the trial before publishing, the record of one more release, and
the lookup of ``zoo show``. Nothing is built. ``looks_seconds`` is all of that except the record, which writes the
complete file, because the catalog is one file. So ``record_seconds`` is reported with ``copy_seconds``, the time to
copy a file of this size to the disk.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import catalog_growth, commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work
from catalog import entries, index
from catalog.release import Location, Model, Repository
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.files.whole import write_atomic
from zoo.publish import record
from zoo.release import ReleaseFolder
from zoo.settings import Settings

PAIRS = 15
KINDS = 100
"""Different models; the others are these under other names."""


def write(folder: Path, count: int) -> Path:
    """A zoo whose catalog has ``count`` models."""
    folder.mkdir(parents=True)
    (folder / "zoo.toml").touch()
    (folder / "count").write_text(str(count))
    kinds = [(model.name, entries.piece_of(model)) for model in catalog_growth.generate(min(count, KINDS)).models]

    def blocks() -> Iterator[bytes]:
        for number in range(count):
            name, piece = kinds[number % len(kinds)]
            start = entries.HEAD if number == 0 else entries.BETWEEN
            yield (start + piece.replace(name, f"model-{number:05}")).encode()
        yield entries.TAIL.encode()

    write_atomic(folder / "model_catalog.json", blocks())
    return folder


def _mine(folder: str) -> tuple[Settings, Model]:
    """The zoo, and the model in the middle of its catalog."""
    settings = settings_room.load(Path(folder), {}, {})
    count = int((settings.root / "count").read_text())
    model = catalogfile.read_model(settings, f"model-{count // 2:05}")
    assert model
    return settings, model


def _timed(seconds: dict[str, float], name: str, work: Callable[[], object]) -> None:
    clock = time.perf_counter()
    assert work()
    seconds[f"{name}_seconds"] = time.perf_counter() - clock


def run(folder: str) -> str:
    """The seconds of each step, as JSON; the catalog is restored afterwards."""
    settings, model = _mine(folder)
    version = "1.1.0"
    place = Location("folder", Repository(f"org/{model.name}-gguf", "0" * 40, version), None)
    entry = dataclasses.replace(model.releases[0], version=version, evidence=())
    release = ReleaseFolder(settings.root, "key", dataclasses.replace(model, releases=()), entry, (), (), ())

    def trial() -> bool:
        record.refuse_invalid(release, place, settings)
        return True

    seconds: dict[str, float] = {}
    _timed(seconds, "check", lambda: catalogfile.is_sound(settings))
    _timed(seconds, "plan", lambda: catalogfile.read_model(settings, model.name))
    _timed(seconds, "trial", trial)
    _timed(seconds, "record", lambda: record.record(release, place, settings))
    _timed(seconds, "show", lambda: catalogfile.read_model(settings, model.name))
    _timed(seconds, "copy", lambda: _copy(settings))
    seconds["looks_seconds"] = sum(seconds[f"{name}_seconds"] for name in ("check", "plan", "trial", "show"))
    catalogfile.change_model(settings, model.name, lambda _: index.Catalog((model,)))
    return json.dumps(seconds)


def _copy(settings: Settings) -> bool:
    """The floor of every way to change one file safely: its bytes read, written next to it, and flushed to the disk."""
    copied = settings.root / "copy"
    with settings.catalog.open("rb", buffering=0) as stream:
        write_atomic(copied, iter(lambda: stream.read(1 << 22), b""))
    copied.unlink()
    return True


def _in_a_process(folder: Path) -> Work:
    code = f"from benchmarks import catalog_size; print(catalog_size.run({str(folder)!r}))"

    def work() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(commands.output([sys.executable, "-c", code]))
        return found

    return work


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both catalogs, and how long the first check of the large one takes."""
    shutil.rmtree(arguments.folder, ignore_errors=True)
    try:
        say(f"writing a catalog of {arguments.models:,} models and one of one model")
        many, one = (write(arguments.folder / str(count), count) for count in (arguments.models, 1))
        say("checking it for the first time")
        settings = settings_room.load(many, {}, {})
        clock = time.perf_counter()
        assert catalogfile.is_sound(settings)
        first = time.perf_counter() - clock
        yield Comparison(
            name="catalog_size",
            question=f"What does a release do with a catalog of {arguments.models:,} models, against one of one model?",
            a=Side(f"{arguments.models:,} models", _in_a_process(many)),
            b=Side("1 model", _in_a_process(one)),
            target=Target("ratio", at_most=1.2),
            figure="looks_seconds",
            packages=("jsonschema", "jsonschema-rs"),
            settings={
                "models": arguments.models,
                "catalog_bytes": {"a": settings.catalog.stat().st_size, "b": _size(one)},
                "first_check_seconds": first,
            },
            spread_maximum=0.25,
        )
    finally:
        shutil.rmtree(arguments.folder, ignore_errors=True)


def _size(folder: Path) -> int:
    return (folder / "model_catalog.json").stat().st_size


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("catalog_size", str(__doc__), PAIRS)
    parser.add_argument("--models", type=int, default=10_000, metavar="N", help="models, %(default)s")
    parser.add_argument("--folder", type=Path, default=Path("build/catalog_size"), help="working folder, %(default)s")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
