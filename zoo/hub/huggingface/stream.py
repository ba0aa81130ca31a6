"""The body of an answer as a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from zoo.errors import Damaged
from zoo.hub.huggingface.client import plain
from zoo.hub.huggingface.door import Door

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Body(io.RawIOBase):
    """The body of an answer as a stream; a broken connection becomes a ZooError, and so does one of more than ``most``
    bytes."""

    def __init__(self, door: Door, stack: ExitStack, chunks: Iterator[bytes], most: int) -> None:
        self._door, self._stack, self._chunks, self._left = door, stack, chunks, most
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        room = memoryview(buffer)
        while not self._rest:
            with plain(self._door):
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left -= len(chunk)
            if self._left < 0:
                raise Damaged(f"{self._door.address} sends more bytes of a file than it lists")
            self._rest = memoryview(chunk)
        count = min(len(room), len(self._rest))
        room[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._stack.close()
        super().close()
