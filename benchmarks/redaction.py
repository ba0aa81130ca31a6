"""``zoo corpus redact`` of made-up prompts, compared with the pattern recognizers of Presidio on the same texts.

Ours is the complete command: lines are read and checked, texts searched and replaced, files written. Presidio's
recognizers get the texts alone and only find. ``--hit`` is the part of the records that have personal data.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import pairs, presidio, privacyrecords
from benchmarks.corpus_check import CORPORA, ROOT
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.corpora.check import File
from zoo.corpora.privacy import keys, redact
from zoo.corpora.privacy.placeholders import Placeholders

PAIRS = 5
RECOGNIZERS = (
    "EmailRecognizer", "PhoneRecognizer", "CreditCardRecognizer", "IbanRecognizer", "IpRecognizer",
    "MacAddressRecognizer", "UrlRecognizer", "CaSinRecognizer",
)  # fmt: skip


def texts(count: int, hit: float) -> list[str]:
    """Prompts of the project, each with a number; ``hit`` of them with a sentence that has a made-up value, each time
    another one. The same for every run."""
    files = [ROOT / f"recipes/corpora/{name}.jsonl" for name in CORPORA]
    rows = [json.loads(line)["user"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(16)
    numbered = (f"{row} ({number})" for number, row in enumerate(itertools.islice(itertools.cycle(rows), count)))
    return [f"{text} {privacyrecords.record(chance, '').text}" if chance.random() < hit else text for text in numbered]


def ours(path: Path) -> None:
    """The work of the command, in this process."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        way = redact.Way(Placeholders(keys.fresh()), is_linkable=False)
        redact.redact([File(path, path.name)], Path(folder) / "out", way)


def timed(work: Callable[[], object], size: int, file_size: int = 0) -> Callable[[], dict[str, Any]]:
    """A side that looks at ``size`` bytes of text, in a file of ``file_size`` bytes. Processor time: other programs
    disturb it less than wall time."""

    def run() -> dict[str, Any]:
        began = time.process_time()
        work()
        seconds = time.process_time() - began
        return {"bytes_per_cpu_second": size / seconds, "file_bytes_per_cpu_second": file_size / seconds}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both get the same texts; Presidio, which is slow, the first tenth of them."""
    say(f"making {arguments.records} prompts")
    made = texts(arguments.records, arguments.hit)
    few = made[: max(len(made) // 10, 1)]
    asked = [presidio.recognizer(name) for name in RECOGNIZERS]
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        path = Path(folder) / "prompts.jsonl"
        path.write_text("".join(json.dumps({"user": text}, ensure_ascii=False) + "\n" for text in made), "utf-8")

        size, few_size = (sum(len(text.encode()) for text in some) for some in (made, few))

        def theirs() -> None:
            for text in few:
                for ask in asked:
                    ask(text)

        yield Comparison(
            name="redaction",
            question="How fast is personal data redacted, compared with finding it by Presidio's patterns?",
            a=Side("zoo corpus redact", timed(lambda: ours(path), size, path.stat().st_size)),
            b=Side("Presidio's recognizers", timed(theirs, few_size)),
            target=Target("ratio", at_least=60),
            figure="bytes_per_cpu_second",
            packages=("presidio-analyzer", "phonenumbers"),
            settings={"records": len(made), "hit": arguments.hit, "recognizers": list(RECOGNIZERS)},
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("redaction", str(__doc__), PAIRS)
    parser.add_argument("--records", type=int, default=100_000, help="number of prompts (default: 100,000)")
    parser.add_argument("--hit", type=float, default=0.02, help="part of them with personal data (default: 0.02)")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
