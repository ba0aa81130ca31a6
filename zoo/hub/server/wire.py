"""Requests with limits, answers, and errors in the form that the client understands."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, unquote

from catalog import jsontext
from catalog.jsontext import Json, JsonObject
from catalog.shapes import WrongShape, shaped

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

JSON_BYTES = 4 << 20
LINE_BYTES = 16 << 20
COMMIT_BYTES = 256 << 20
PATH_BYTES = 4096

Shape = TypeVar("Shape")


class ApiError(Exception):
    """A refusal. ``code`` is the client's X-Error-Code: RepoNotFound, RevisionNotFound, EntryNotFound."""

    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.more = status, message, code, more


@dataclass(frozen=True)
class Slice:
    """A part of a file, to be sent."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True)
class Answer:
    """The body of an answer: bytes, or a part of a file."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Slice | None = None

    @property
    def length(self) -> int:
        return self.file.length if self.file else len(self.body)


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=True, allow_nan=False).encode()
    return Answer(status, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def refusal(error: ApiError) -> Answer:
    """A refusal in the client's format: the message in body and header, the kind in X-Error-Code."""
    message = "".join(c if " " <= c <= "~" else "?" for c in error.message)[:500]
    headers = {"X-Error-Message": message}
    if error.code:
        headers["X-Error-Code"] = error.code
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="zoo"'
    return as_json({"error": message, **error.more}, error.status, headers)


@dataclass
class Request:
    """One request. ``base`` is the address at which the client reached us; ``left`` counts unread bytes of the body."""

    method: str
    segments: list[str]
    query: dict[str, list[str]]
    headers: Message
    base: str
    stream: BufferedIOBase
    left: int

    def one(self, name: str) -> str:
        """The first value of a query parameter, else an empty text."""
        return self.query.get(name, [""])[0]

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes of the body; fewer only at its end."""
        data = self.stream.read(min(count, self.left))
        self.left -= len(data)
        return data

    def body(self, limit: int) -> bytes:
        """The complete body. Raises ApiError 413 if it is longer than ``limit``."""
        if self.left > limit:
            raise ApiError(413, f"the request has {self.left} bytes, but at most {limit} are accepted here")
        wanted = self.left
        data = self.read(wanted)
        if len(data) != wanted:
            raise ApiError(400, "the request ended too early")
        return data

    def json(self) -> JsonObject:
        """The body as a JSON object."""
        return parse_object(self.body(JSON_BYTES))

    def shaped(self, shape: type[Shape]) -> Shape:
        """The body as a type, for which see ``catalog.shapes.shaped``. Raises ApiError 400."""
        try:
            return shaped(self.json(), shape)
        except WrongShape as error:
            raise ApiError(400, f"the request cannot be used: {error}") from error

    def form(self) -> dict[str, list[str]]:
        """The body as form fields, or as a JSON object of them."""
        if "json" in self.headers.get("Content-Type", ""):
            found = self.json()
            return {k: [str(i) for i in v] if isinstance(v, list) else [str(v)] for k, v in found.items()}
        text = self.body(JSON_BYTES).decode("utf-8", "replace")
        try:
            return parse_qs(text, max_num_fields=5000)
        except ValueError as error:
            raise ApiError(400, "the request is not a form") from error

    def lines(self) -> Iterator[JsonObject]:
        """The body as one JSON object per line, read one by one."""
        if self.left > COMMIT_BYTES:
            raise ApiError(
                413, f"the request has {self.left} bytes, but at most {COMMIT_BYTES} are accepted here"
            )
        while self.left:
            line = self.stream.readline(min(self.left, LINE_BYTES))
            self.left -= len(line)
            if not line:
                raise ApiError(400, "the request ended too early")
            if not line.endswith(b"\n") and self.left:
                raise ApiError(413, f"a line is longer than {LINE_BYTES} bytes")
            if line.strip():
                yield parse_object(line)


def parse_object(raw: bytes) -> JsonObject:
    """A JSON object. Raises ApiError 400."""
    try:
        value: Json = jsontext.parse(raw)
    except jsontext.NotJson as error:
        raise ApiError(400, f"the request is not JSON: {error.what}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "the request is not a JSON object")
    return value


def split_target(target: str) -> tuple[list[str], dict[str, list[str]]]:
    """Path segments, each decoded separately, and the query. Raises ApiError 400 or 414."""
    if len(target) > PATH_BYTES:
        raise ApiError(414, f"the address is longer than {PATH_BYTES} bytes")
    try:
        # A request has no fragment, and two slashes at its beginning do not name a host.
        path, _, rest = target.partition("?")
        query = parse_qs(rest, keep_blank_values=True, max_num_fields=100)
        segments = [unquote(segment, errors="strict") for segment in path.split("/")[1:]]
    except ValueError as error:
        raise ApiError(400, "the address cannot be read") from error
    return segments, query


class PacedReader(io.RawIOBase):
    """Reads of a socket that must end at a deadline, however slowly the other side sends."""

    def __init__(self, connection: socket.socket, stall_seconds: float) -> None:
        self.connection, self.stall_seconds = connection, stall_seconds
        self.deadline = time.monotonic() + stall_seconds

    def allow(self, seconds: float) -> None:
        """Set the deadline ``seconds`` from now."""
        self.deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self.connection.settimeout(min(left, self.stall_seconds))
        try:
            return self.connection.recv_into(buffer)
        finally:
            self.connection.settimeout(self.stall_seconds)
