"""The cache of a teacher's answers, compared with the format before it: four bytes per number, row by row.

A is ``zoo.training.teacher``; B writes float32 shards of 16 rows, each read by the teacher alone. The teacher is the
packaged SmolLM2-135M, the rows are texts of the starter's corpus, of many lengths, of which all but the beginning
counts. ``--what fill`` compares asking the teacher and writing; ``--what read`` the reading of all rows in a random
order. ``settings.bytes_per_token`` has the sizes, ``settings.error`` how far the rounding moves the divergence from a
student (the teacher with every weight moved a little).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import material, pairs, smollm2
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.files.digests import sha256_file
from zoo.progress import Silent
from zoo.training import require

PAIRS = 5
ROWS, SHORTEST, LONGEST, PROMPT = 40, 16, 120, 6
OLD_SHARD_ROWS = 16
MOST_BYTES = {64: 190, 256: 700}
MOST_ERROR = 1e-4
MOVED = 0.05
"""Of a weight matrix's standard deviation: how far the student's weights are from the teacher's."""

TARGETS = {"fill": Target("ratio", at_most=1 / 1.2), "read": Target("a", at_least=100.0)}
FIGURES = {"fill": "cpu_seconds", "read": "raw_megabytes_per_cpu_second"}


def texts(teacher: Path) -> list[Any]:
    """Rows of corpus text, of lengths from ``SHORTEST`` to ``LONGEST``."""
    from zoo.training.conversations import EncodedRow
    from zoo.training.models import load_tokenizer

    tokenizer, dice, rows = load_tokenizer(teacher), random.Random(0), []
    for language in smollm2.LANGUAGES:
        text = smollm2.text_path("evaluation", language).read_text(encoding="utf-8")
        ids, start = tokenizer(text)["input_ids"], 0
        while len(rows) < ROWS * (1 + smollm2.LANGUAGES.index(language)) // len(smollm2.LANGUAGES):
            tokens = dice.randint(SHORTEST, LONGEST)
            part = tuple((ids + ids)[start : start + tokens])
            rows.append(EncodedRow(str(len(rows)), part, tuple(place > PROMPT for place in range(len(part)))))
            start = (start + tokens) % len(ids)
    return rows


class Way:
    """Both ways over the same rows and teacher."""

    def __init__(self, question: Any, folder: Path) -> None:
        self.question, self.folder = question, folder
        self.positions = sum(len(row.positions) for row in question.rows)
        self.raw = self.positions * (8 * question.top_k + 4)

    def ours(self) -> None:
        """A new cache, filled."""
        from zoo.training.teacher import cache_teacher

        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            cache_teacher(self.question, Path(place), Silent())

    def before(self) -> None:
        """A cache of the earlier format, filled."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            self.write_before(Path(place))

    def write_before(self, place: Path) -> None:
        """Fill ``place`` as the earlier version did."""
        import torch
        from safetensors.torch import save_file

        from zoo.training.models import load_model, logits_at
        from zoo.training.teacher import top_of

        question = self.question
        model = load_model(question.teacher, torch.float32, "cpu")
        for start in range(0, len(question.rows), OLD_SHARD_ROWS):
            parts = []
            for row in question.rows[start : start + OLD_SHARD_ROWS]:
                positions = torch.tensor(row.positions)
                with torch.no_grad():
                    at = torch.zeros_like(positions)
                    logits = logits_at(model, torch.tensor([row.input_ids]), at, positions)
                    parts.append(top_of(logits, question.top_k, question.temperature))
            file = place / f"shard-{start // OLD_SHARD_ROWS:05d}.safetensors"
            save_file({key: torch.cat([part[key] for part in parts]) for key in parts[0]}, file)
            sha256_file(file)

    def readers(self) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
        """What reads a row of a finished cache: ours, and the earlier one, which opens the shard for every row."""
        from zoo.training.teacher import cache_teacher
        from zoo.training.teacher.old import OldCache

        cache = cache_teacher(self.question, self.folder / "ours", Silent())
        place = self.folder / "before"
        place.mkdir()
        self.write_before(place)
        sums = {path.name: sha256_file(path) for path in place.iterdir()}
        old = OldCache(place, sums, tuple(len(row.positions) for row in self.question.rows))
        return (lambda number: cache.targets([number])), old.row


def size(folder: Path, positions: int) -> float:
    """Bytes on disk per position, the index included."""
    return sum(path.stat().st_size for path in folder.iterdir()) / positions


def error(way: Way, ours: Callable[[int], Any], before: Callable[[int], Any]) -> dict[str, float]:
    """How far the divergence of a student from our answers is from that from the earlier ones, in nats per token."""
    import torch

    from zoo.training.losses import topk_kld
    from zoo.training.models import load_model, logits_at

    student = load_model(way.question.teacher, torch.float32, "cpu")
    generator, found = torch.Generator().manual_seed(0), []
    with torch.no_grad():
        for weight in student.parameters():
            if weight.dim() > 1:
                weight += torch.randn(weight.shape, generator=generator) * weight.std() * MOVED
        for number, row in enumerate(way.question.rows[::4]):
            positions = torch.tensor(row.positions)
            logits = logits_at(student, torch.tensor([row.input_ids]), torch.zeros_like(positions), positions)
            answers = ours(4 * number), before(4 * number)
            losses = [topk_kld(logits, one.ids, one.logp, one.tail_logp, 1.0) for one in answers]
            found.append(torch.stack(losses))
    mine, right = torch.cat(found, dim=1).double()
    mean = float((mine - right).abs().mean())
    return {"divergence_nats": float(right.mean()), "mean_nats": mean, "at_most": MOST_ERROR}


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both caches, their sizes, and the work that is compared."""
    require()
    from zoo.training.repeatable import repeatable
    from zoo.training.teacher import Question

    recipe, threads = material.tutor(), material.threads_or_cores(arguments.threads)
    teacher = material.imported(material.teacher_file(recipe), recipe.teacher.sha256, None, say)
    with tempfile.TemporaryDirectory() as folder, repeatable(threads, "cpu"):
        way = Way(Question(teacher, texts(teacher), arguments.top_k, 1.0), Path(folder))
        say("filling both caches")
        ours, before = way.readers()
        sizes = {name: size(way.folder / name, way.positions) for name in ("ours", "before")}
        order = list(range(ROWS))
        random.Random(1).shuffle(order)

        def read(row: Callable[[int], Any]) -> Callable[[], Mapping[str, float]]:
            def run() -> Mapping[str, float]:
                started = time.process_time()
                for number in order:
                    row(number)
                seconds = time.process_time() - started
                return {"raw_megabytes_per_cpu_second": way.raw / seconds / 1e6, "cpu_seconds": seconds}

            return run

        def fill(work: Callable[[], None]) -> Callable[[], Mapping[str, float]]:
            def run() -> Mapping[str, float]:
                started = time.process_time()
                work()
                return {"cpu_seconds": time.process_time() - started}

            return run

        what = arguments.what
        sides = (read(ours), read(before)) if what == "read" else (fill(way.ours), fill(way.before))
        most = MOST_BYTES[arguments.top_k]
        yield Comparison(
            name=f"teacher_cache_{what}",
            question=f"What does it cost to {what} a cache of a teacher's answers, compared with float32 row by row?",
            a=Side("rounded and packed, rows read together", sides[0]),
            b=Side("float32, rows read one by one", sides[1]),
            target=TARGETS[what],
            figure=FIGURES[what],
            packages=("torch", "transformers", "safetensors"),
            settings={
                "rows": ROWS, "positions": way.positions, "top_k": arguments.top_k, "threads": threads,
                "bytes_per_token": {**sizes, "at_most": most, "reached": sizes["ours"] <= most},
                "error": error(way, ours, before),
            },
        )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("teacher_cache", str(__doc__), PAIRS, threads=True)
    parser.add_argument("--what", choices=tuple(TARGETS), default="read", help="%(default)s unless given")
    parser.add_argument("--top-k", type=int, choices=tuple(MOST_BYTES), default=64, help="%(default)s unless given")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
