"""Measuring block by block, until what is asked is decided: which windows are read, and where finished blocks are kept.

The order of the windows depends on their tokens alone, and a block's figures on nothing but its windows. So an
evaluation that was killed and resumed reads the same blocks and stops at the same one, with any number of threads.

A file that is settled is not read further. If another one comes close to it after all, it reads what it lacks: its
windows are always the first ones of the order.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from zoo.files.whole import write_atomic
from zoo.judge import deciding, divergence
from zoo.judge.divergence import Floats
from zoo.judge.evaluation import Stop
from zoo.llama.measure.windows import Early, Window, tokens_sha256

BLOCK_WINDOWS = 4
"""Windows between two looks: enough to keep all workers busy, few enough to stop soon."""

_T = TypeVar("_T")

LEAST_WINDOWS = 2
"""Windows of each language that are read in any case, for its standard error."""


@dataclass(frozen=True)
class Block:
    """The figures of some windows: the reference's NLL in nats and every file's comparison, by window."""

    own: list[Floats]
    found: Mapping[str, list[divergence.Window]]


@dataclass(frozen=True)
class Read:
    """The figures of the windows that were read, in the order of the texts. places: which of all windows they are;
    places_of: those of each file, fewer where it was settled sooner. stop: why no more were read, None if nothing could
    stop it."""

    places: list[int]
    places_of: Mapping[str, list[int]]
    block: Block
    stop: Stop | None = None


Measure = Callable[[Sequence[Window], Sequence[str], Window | None], Block]
"""Measures windows with the files that are named. The last is the window that probably follows."""


def read_early(early: Early, taken: Sequence[Window], files: Sequence[str], measure: Measure) -> Read:
    """Measure blocks of ``taken`` until the rule is met or no window is left."""
    order = order_of(taken)
    kept = _Kept(early.folder, [[taken[i] for i in places] for places in _blocks(order)], files, measure)
    own: list[Floats] = []
    found: dict[str, list[divergence.Window]] = {name: [] for name in files}

    def fetch(number: int, names: Sequence[str]) -> deciding.Figures:
        block = kept.block(number, names)
        if len(own) == number * BLOCK_WINDOWS:
            own.extend(block.own)
        for name in names:
            found[name] += block.found[name]
        return deciding.figures_of(block.found)

    sizes = [len(windows) for windows in kept.blocks]
    last, read = deciding.read_on(early.rule, files, sizes, fetch, lambda n: _every_language(taken, order[:n]))
    stop = deciding.stop(early.rule, last, read, len(taken), len(taken[0].targets))
    sorted_ = Block(_in_place(own, order), {name: _in_place(its, order) for name, its in found.items()})
    return Read(sorted(order[: len(own)]), {name: sorted(order[:count]) for name, count in read.items()}, sorted_, stop)


def _in_place(read: Sequence[_T], order: Sequence[int]) -> list[_T]:
    """What was read of the first windows of ``order``, in the order of the texts."""
    return [read[i] for i in sorted(range(len(read)), key=order.__getitem__)]


def order_of(taken: Sequence[Window]) -> list[int]:
    """A random order of all windows, by a seed that is the digest of their tokens."""
    order = list(range(len(taken)))
    random.Random(tokens_sha256(taken)).shuffle(order)
    return order


def _blocks(order: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(order), BLOCK_WINDOWS):
        yield list(order[start : start + BLOCK_WINDOWS])


def _every_language(taken: Sequence[Window], done: Sequence[int]) -> bool:
    room, seen = Counter(window.language for window in taken), Counter(taken[i].language for i in done)
    return all(seen[language] >= min(LEAST_WINDOWS, room[language]) for language in room)


@dataclass(frozen=True)
class _Kept:
    """Blocks of windows, measured or from ``folder``. files: all of the evaluation."""

    folder: Path
    blocks: Sequence[Sequence[Window]]
    files: Sequence[str]
    measure: Measure

    def block(self, number: int, names: Sequence[str]) -> Block:
        """The figures of these files; what was measured is on the disk when this returns."""
        some = "".join(f"-{self.files.index(name)}" for name in names) if len(names) < len(self.files) else ""
        path, windows = self.folder / f"{number:05}{some}.npz", self.blocks[number]
        found = _load(path, windows, names)
        if found is None:
            found = self.measure(windows, names, self._following(number))
            write_atomic(path, _packed(found, windows))
        return found

    def _following(self, number: int) -> Window | None:
        """The first window of the next block, unless an earlier run has measured that block."""
        is_last = number + 1 == len(self.blocks)
        return None if is_last or any(self.folder.glob(f"{number + 1:05}*.npz")) else self.blocks[number + 1][0]


_FIELDS = tuple(field.name for field in fields(divergence.Window))


def _packed(block: Block, windows: Sequence[Window]) -> bytes:
    arrays: dict[str, np.ndarray] = {"tokens": np.frombuffer(tokens_sha256(windows).encode(), dtype=np.uint8)}
    arrays["own"] = np.stack(block.own)
    for place, its in enumerate(block.found.values()):
        for name in _FIELDS:
            arrays[f"{place} {name}"] = np.stack([getattr(one, name) for one in its])
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _load(path: Path, windows: Sequence[Window], files: Sequence[str]) -> Block | None:
    """None for a file that is missing, damaged, or of other windows: the block is then measured again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if kept["tokens"].tobytes().decode("ascii") != tokens_sha256(windows):
                return None
            found = {
                file: [
                    divergence.Window(*(kept[f"{place} {name}"][i] for name in _FIELDS)) for i in range(len(windows))
                ]
                for place, file in enumerate(files)
            }
            return Block(list(kept["own"]), found)
    except (OSError, ValueError, KeyError, EOFError, IndexError, BadZipFile):
        return None
