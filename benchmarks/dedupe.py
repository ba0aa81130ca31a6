"""``zoo corpus overlap`` of made-up prompts, compared with MinHash and LSH of ``datasketch``, which estimate.

Both look for texts of which 0.8 of the pieces of five characters are the same as those of an earlier one. One text in
fifty is a copy of an earlier one with one word changed. Ours compares the texts themselves. ``settings`` has how many
texts are near an earlier one, how many of them the estimate finds, and how many others.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.corpora import overlap
from zoo.corpora.overlap import Text
from zoo.errors import InputError

PAIRS = 5
THRESHOLD = 0.8
PERMUTATIONS = 128
COPIED = 50
ROOT = Path(__file__).resolve().parent.parent


def made_up(count: int) -> list[Text]:
    """Prompts of 12 to 24 words of the project's own prompts, the same for every run."""
    files = sorted((ROOT / "recipes/corpora").rglob("prompts.*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    words = sorted({word for row in rows for word in overlap.folded(row["user"]).split()})
    chance, found = random.Random(16), list[Text]()
    for number in range(count):
        if number % COPIED == COPIED - 1:
            written = chance.choice(found).words.split()
            written[chance.randrange(len(written))] = chance.choice(words)
        else:
            written = chance.choices(words, k=chance.randint(12, 24))
        found.append(Text(0, number, " ".join(written)))
    return found


def ours(texts: Sequence[Text]) -> set[int]:
    """The numbers of the texts that are near an earlier one."""
    return {found.text.line for found in overlap.within(texts, THRESHOLD)}


def estimated(texts: Sequence[Text]) -> set[int]:
    """The same by signatures: a text is found if LSH names an earlier one as a candidate."""
    try:
        # Only here: no part of the program needs it.
        import datasketch
    except ImportError as error:
        raise InputError("datasketch is not installed", remedy="pip install datasketch==2.0.0") from error
    index = datasketch.MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    found = set()
    for text in texts:
        signature = datasketch.MinHash(num_perm=PERMUTATIONS)
        last = max(len(text.words) - overlap.PIECE_CHARACTERS, 0)
        size = overlap.PIECE_CHARACTERS
        signature.update_batch([text.words[place : place + size].encode() for place in range(last + 1)])
        if index.query(signature):
            found.add(text.line)
        index.insert(str(text.line), signature)
    return found


def quality(found: set[int], texts: Sequence[Text]) -> dict[str, int]:
    """near: texts that are near an earlier one. found: how many of them are in ``found``. wrong: the others in it."""
    exact = ours(texts)
    return {"near": len(exact), "found": len(found & exact), "wrong": len(found - exact)}


def timed(work: Callable[[Sequence[Text]], set[int]], texts: Sequence[Text]) -> Callable[[], dict[str, Any]]:
    """A side. Processor time: other programs disturb it less than wall time."""

    def run() -> dict[str, Any]:
        began = time.process_time()
        work(texts)
        return {"texts_per_cpu_second": len(texts) / (time.process_time() - began)}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both get the same texts."""
    say(f"making {arguments.texts} texts, and measuring what is found")
    texts = made_up(arguments.texts)
    yield Comparison(
        name="dedupe",
        question="How fast are near repeats found, compared with MinHash signatures and LSH?",
        a=Side("zoo corpus overlap", timed(ours, texts)),
        b=Side("datasketch", timed(estimated, texts)),
        target=Target("ratio", at_least=1.0),
        figure="texts_per_cpu_second",
        packages=("datasketch",),
        settings={
            "texts": len(texts),
            "threshold": THRESHOLD,
            "permutations": PERMUTATIONS,
            "datasketch": quality(estimated(texts), texts),
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("dedupe", str(__doc__), PAIRS)
    parser.add_argument("--texts", type=int, default=100_000, help="number of texts (default: 100,000)")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
