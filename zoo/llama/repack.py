"""A file's weights for the processor's fast kernels: the same values, arranged in another way.

llama.cpp's fast kernels take many rows at a time, but not of every type. A Q4_1 weight is d * q + m, q from 0 to 15 and
d, m of its block of 32; a Q4_0 weight is d * (q - 8). So a Q4_1 matrix is a Q4_0 matrix with the same d and q, plus
(m + 8 d) times the sum of each block of inputs, which is a product of two thin matrices: what llama.cpp calls a LoRA
adapter. Both parts have the values of the file; only the sums are rounded in another order.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from zoo.errors import AGAIN, ZooError
from zoo.gguf.encoding import matrices_head
from zoo.gguf.header import descriptions, header_bytes
from zoo.gguf.layout import ALIGNMENT, Bytes, RawFile, RawTensor, Scalar, opened, read_raw
from zoo.llama import library
from zoo.llama.library import Observer
from zoo.llama.measure.graphtensor import at, name_of, operation
from zoo.llama.model import Model

BLOCK = 32
"""Weights of a block of Q4_0 and Q4_1 (QK4_0, QK4_1 of ggml-common.h)."""
RANK_STEP = 16
"""The inner width of the thin product is filled up to a multiple of it: the kernels of float32 take 16 at a time."""
_FROM, _TO = "Q4_1", "Q4_0"
_FROM_BYTES = 20
_SOURCES = 10
"""GGML_MAX_SRC of ggml.h."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Repacked:
    """A file to open, and the adapter that belongs to it; None where the file is the given one."""

    path: Path
    adapter: Path | None


def repacked(source: Path, folder: Path) -> Repacked:
    """Write ``source`` for the fast kernels into ``folder``; a file without a Q4_1 matrix stays where it is.

    The folder needs room for twice the size of the file.

    A matrix that llama.cpp uses without its adapter, or in another way than in a product, is left as it is: the graph
    is looked at, not the name of the architecture. Raises ModelFileError for an invalid file, ZooError if the disk is
    full.
    """
    left: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    made = Repacked(folder / source.name, folder / f"{source.name}.adapter")
    while True:
        names = _write(source, made, left)
        if not names:
            return Repacked(source, None)
        alone = _used_alone(made, names)
        if not alone:
            return made
        left |= alone


def split(blocks: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Floats]:
    """Q4_1 blocks [..., 20 bytes] as Q4_0 blocks [..., 18 bytes] and what each weight of a block lacks [...]."""
    numbers = np.ascontiguousarray(blocks[..., :4]).view(np.float16).astype(np.float32)
    with np.errstate(invalid="ignore"):  # the numbers of a damaged file; what it computes is looked at later
        lacking = numbers[..., 1] + 8 * numbers[..., 0]
    return np.concatenate([blocks[..., :2], blocks[..., 4:]], axis=-1), lacking


def rank_of(blocks: int) -> int:
    """The inner width of the thin product for so many blocks in a row."""
    return -(-blocks // RANK_STEP) * RANK_STEP


def thin(lacking: Floats) -> tuple[Floats, Floats]:
    """The product that adds ``lacking`` [rows, blocks] to every weight of a block: A [rank, 32 * blocks], B [rows,
    rank], with rank filled up with zeros.
    """
    rows, blocks = lacking.shape
    rank = rank_of(blocks)
    sums, parts = np.zeros((rank, blocks * BLOCK), np.float32), np.zeros((rows, rank), np.float32)
    for block in range(blocks):
        sums[block, block * BLOCK : (block + 1) * BLOCK] = 1
    parts[:, :blocks] = lacking
    return sums, parts


def _write(source: Path, made: Repacked, left: Collection[str]) -> set[str]:
    """Write both files; the names of the matrices that were split, none if there is none and nothing was written."""
    assert made.adapter is not None
    with opened(source) as data:
        raw = read_raw(data)
        wanted = [tensor for tensor in raw.tensors if _splits(tensor) and tensor.name not in left]
        names = {tensor.name for tensor in wanted}
        if wanted:
            try:
                _write_model(data, raw, names, made.path)
                _write_adapter(data, raw, wanted, made.adapter)
            except OSError as error:
                raise _unwritten(error, made.path) from error
        return names


def _unwritten(error: OSError, path: Path) -> ZooError:
    return ZooError(
        f"{path.name} could not be written for the fast kernels: {error.strerror or error}",
        where=str(path.parent),
        safe="The answers made so far are kept.",
        remedy="Free some space on the disk, or remove label.repack from the recipe",
        again=AGAIN,
    )


def _splits(tensor: RawTensor) -> bool:
    """Embeddings are not: their rows are also read alone, without the adapter."""
    return tensor.type_name == _FROM and len(tensor.shape) == 2 and "embd" not in tensor.name


def _blocks(data: Bytes, raw: RawFile, tensor: RawTensor) -> NDArray[np.uint8]:
    """[rows, blocks of a row, 20] of a Q4_1 matrix."""
    found = np.frombuffer(data.data, np.uint8, tensor.size_bytes, raw.data_start + tensor.offset)
    return found.reshape(tensor.shape[1], tensor.shape[0] // BLOCK, _FROM_BYTES)


def _write_model(data: Bytes, raw: RawFile, names: Collection[str], target: Path) -> None:
    head = header_bytes(data, raw, {}, descriptions(raw, dict.fromkeys(names, _TO)))
    with target.open("wb") as out:
        out.write(head)
        _fill(out, raw.alignment)
        for tensor in raw.tensors:
            if tensor.name in names:
                out.write(split(_blocks(data, raw, tensor))[0].tobytes())
            else:
                start = raw.data_start + tensor.offset
                out.write(data.data[start : start + tensor.size_bytes])
            _fill(out, raw.alignment)
        out.flush()
        os.fsync(out.fileno())


def _fill(out: IO[bytes], alignment: int) -> None:
    out.write(b"\0" * (-out.tell() % alignment))


def _write_adapter(data: Bytes, raw: RawFile, wanted: Collection[RawTensor], target: Path) -> None:
    """One matrix at a time: all together would be as large as the file."""
    architecture = raw.entries["general.architecture"]
    values: dict[str, Scalar | list[str]] = {
        "general.architecture": data.data[architecture.start + 8 : architecture.end].decode(),
        "general.type": "adapter",
        "adapter.type": "lora",
        # Zero: the product is added as it is, not scaled by alpha / rank.
        "adapter.lora.alpha": 0.0,
    }
    shapes: dict[str, tuple[int, int]] = {}
    for tensor in wanted:
        length, rows = tensor.shape
        rank = rank_of(length // BLOCK)
        shapes |= {f"{tensor.name}.lora_a": (rank, length), f"{tensor.name}.lora_b": (rows, rank)}
    with target.open("wb") as out:
        out.write(matrices_head(values, shapes))
        for tensor in wanted:
            for part in thin(split(_blocks(data, raw, tensor))[1]):
                out.write(part.tobytes())
                _fill(out, ALIGNMENT)
        out.flush()
        os.fsync(out.fileno())


@dataclass
class _Seen:
    """What llama.cpp computes with each weight.

    products: how often it is multiplied, by its name. elsewhere: names that were seen in another operation.
    """

    multiply: int
    products: Counter[str] = field(default_factory=Counter)
    elsewhere: set[str] = field(default_factory=set)
    error: BaseException | None = None

    def see(self, address: int, ask: bool, user_data: object) -> bool:
        """Called for every node before it is computed; nothing is read afterwards."""
        del user_data
        try:
            node = at(address)
            names = [name_of(at(node.src[index])) for index in range(_SOURCES) if node.src[index]]
            if ask and node.op == self.multiply:
                self.products[names[0]] += 1
                self.elsewhere.update(names[1:])
            elif ask:
                self.elsewhere.update(names)
        except BaseException as error:  # noqa: BLE001  # an exception cannot pass through C
            self.error = self.error or error
        return False


def _used_alone(made: Repacked, names: Collection[str]) -> set[str]:
    """The matrices that are used without their adapter somewhere."""
    seen = _Seen(operation("MUL_MAT"))
    observer = Observer(library.require().ggml_backend_sched_eval_callback(seen.see))
    with Model.open(made.path, threads=1, context_tokens=8, adapter=made.adapter, observer=observer) as model:
        start = max(model.bos, 0)
        # A prompt and a later token: some models compute them in another way.
        model.decode([(start, 0, 0, False), (start, 1, 0, True)])
        model.decode([(start, 2, 0, True)])
    if seen.error is not None:
        raise seen.error
    return {
        name for name in names
        if name in seen.elsewhere or seen.products[name] != seen.products[f"{name}.lora_b"]
    }
