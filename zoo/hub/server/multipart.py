"""Large contents in parts: a broken connection costs one part. The parts form one file, whose sha256 verifies them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from zoo.files.digests import sha256_file
from zoo.hub.server.access import Signer
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

MULTIPART_BYTES = 256 << 20
"""Contents above this size are sent in parts, if the client can."""

PART_BYTES = 64 << 20
_MOST_PARTS = 10_000
_CHUNK = 1 << 20


def part_bytes(size: int, least: int = PART_BYTES) -> int:
    """The size of a part, so that there are not too many of them."""
    part = least
    while size > part * _MOST_PARTS:
        part *= 2
    return part


def upload_action(signer: Signer, base: str, oid: str, size: int, part: int) -> dict[str, object]:
    """The LFS action of an upload in parts: an address per part, and one that completes it."""
    header = {"chunk_size": str(part)}
    for number in range(1, -(-size // part) + 1):
        length = min(part, size - (number - 1) * part)
        query = signer.query(f"{oid}/{number}/{(number - 1) * part}", length)
        header[str(number)] = f"{base}/lfs/{oid}/{number}/{(number - 1) * part}?{query}"
    return {"href": f"{base}/lfs/{oid}/complete?{signer.query(f'{oid}/complete', size)}", "header": header}


def put_part(store: Store, signer: Signer, oid: str, number: str, begin: str, request: Request) -> Answer:
    """Write one part at its place; its ETag is its sha256. The signed address is the permission."""
    length = _signed(signer, f"{oid}/{number}/{begin}", request)
    if request.left != length:
        raise ApiError(400, f"the part has {request.left} bytes, not {length} as announced")
    path = _place(store, oid)
    store.refuse_full(length)
    path.parent.mkdir(parents=True, exist_ok=True)
    sha, at = hashlib.sha256(), int(begin)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        while length:
            data = request.read(min(length, _CHUNK))
            if not data:
                raise ApiError(400, "the part ended too early")
            sha.update(data)
            _write(handle, data, at)
            at += len(data)
            length -= len(data)
        os.fdatasync(handle)
    finally:
        os.close(handle)
    return as_json({}, headers={"ETag": f'"{sha.hexdigest()}"'})


def complete(store: Store, signer: Signer, oid: str, request: Request) -> Answer:
    """Complete an upload with all its parts. The content is stored only if it matches what was announced."""
    size = _signed(signer, f"{oid}/complete", request)
    if request.json().get("oid") != oid:
        raise ApiError(400, "this ends another upload")
    path = _place(store, oid)
    try:
        if path.stat().st_size != size:
            raise ApiError(400, f"the parts have {path.stat().st_size} bytes, not {size} as announced")
        found = sha256_file(path)
        if found != oid:
            path.unlink()
            raise ApiError(400, f"the upload has sha256 {found}, not {oid} as announced")
        store.settle(path, oid)
    except FileNotFoundError:
        # Two clients may send the same content; the other one was first.
        if store.size_of(oid) != size:
            raise ApiError(400, "no part of this upload is here") from None
    return as_json({})


def _signed(signer: Signer, what: str, request: Request) -> int:
    return signer.check(what, request.one("size"), request.one("expires"), request.one("signature"))


def _place(store: Store, oid: str) -> Path:
    store.content(oid)  # refuses an invalid sha256
    return store.incoming / f"parts-{oid}"


def _write(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(handle, view, at)
        at, view = at + count, view[count:]
