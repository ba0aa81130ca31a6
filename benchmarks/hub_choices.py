"""Whether a maintained library would serve or fetch better than this code: 500 MB over loopback, and bad requests.

Servers: the folder hub's own (``http.server`` below it), uvicorn with starlette, and aiohttp, each in its own process
and as its documentation serves a file. Clients: the download room, and ``hf_hub_download`` of the official client. This
is not a comparison in pairs; it was made to decide once, and is kept so that the decision can be looked at again.

The other servers are taken from ``--packages``: ``pip install --target FOLDER uvicorn starlette aiohttp httptools``.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import pairs
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

MEGABYTES = 500
STALL_SECONDS = 2.0
GIVE_UP_SECONDS = 8.0
SERVERS = ("ours", "starlette", "aiohttp")
_FILE = "/local/m/resolve/main/big"
_BODY = "/api/validate-yaml"


def serve(name: str, folder: Path) -> None:
    """Serve ``folder`` until stdin ends; the first line of stdout is the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    if name == "ours":
        from zoo.hub.server import Access, Bounds, HubServer

        listening.close()
        access = Access({}, anonymous_write=True)
        server = HubServer(folder / "hub", "127.0.0.1", 0, access, bounds=Bounds(stall_seconds=STALL_SECONDS))
        port = server.server_port
        run: Any = server.serve_forever
    elif name == "starlette":
        import uvicorn
        from starlette.applications import Starlette
        from starlette.responses import FileResponse, Response
        from starlette.routing import Route

        async def read(_: Any) -> Any:
            return FileResponse(folder / "big")

        async def write(request: Any) -> Any:
            return Response(str(len(await request.body())))

        app = Starlette(routes=[Route(_FILE, read), Route(_BODY, write, methods=["POST"])])
        config = uvicorn.Config(app, log_level="error", timeout_keep_alive=int(STALL_SECONDS))
        run = partial(uvicorn.Server(config).run, sockets=[listening])
    else:
        from aiohttp import web

        async def sent(_: Any) -> Any:
            return web.FileResponse(folder / "big")

        async def taken(request: Any) -> Any:
            return web.Response(text=str(len(await request.read())))

        app = web.Application(client_max_size=1 << 30)
        app.add_routes([web.get(_FILE, sent), web.post(_BODY, taken)])
        run = partial(web.run_app, app, sock=listening, print=None, keepalive_timeout=STALL_SECONDS)
    print(port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    run()


class Server:
    """One of them in a separate process."""

    def __init__(self, name: str, folder: Path, packages: Path | None) -> None:
        path = os.pathsep.join(str(one) for one in (Path.cwd(), packages, os.environ.get("PYTHONPATH")) if one)
        code = f"from benchmarks import hub_choices as h; h.serve({name!r}, h.Path({str(folder)!r}))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        time.sleep(0.5)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)

    def memory_bytes(self) -> int:
        """Its peak memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def say(self, raw: bytes, seconds: float = 30.0) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        connection.sendall(raw)
        return connection


def read_all(server: Server) -> dict[str, float]:
    """Reads the file once."""
    before, began = server.cpu_seconds(), time.perf_counter()
    buffer, came = bytearray(1 << 20), 0
    with server.say(f"GET {_FILE} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()) as connection:
        while count := connection.recv_into(buffer):
            came += count
    assert came > MEGABYTES * 1_000_000, came
    seconds = time.perf_counter() - began
    return {"megabytes_per_second": MEGABYTES / seconds, "server_cpu_seconds": server.cpu_seconds() - before}


def manners(server: Server) -> dict[str, Any]:
    """How long a server accepts an endless head and a missing body, and its answers."""

    def until_closed(first: bytes, drip: bytes) -> float | None:
        began = time.perf_counter()
        with server.say(first) as connection:
            connection.settimeout(0.5)
            while time.perf_counter() - began < GIVE_UP_SECONDS:
                try:
                    if drip:
                        connection.sendall(drip)
                    if not connection.recv(4096):
                        return round(time.perf_counter() - began, 1)
                except TimeoutError:
                    continue
                except OSError:
                    return round(time.perf_counter() - began, 1)
        return None

    def answer(head: str, host: str = "127.0.0.1") -> str:
        with server.say(f"GET {_FILE} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n".encode()) as s:
            return s.recv(4096).decode("latin-1").split("\r\n")[0]

    return {
        "slow_head_closed_after_seconds": until_closed(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"a"),
        "absent_body_closed_after_seconds": until_closed(
            f"POST {_BODY} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc".encode(), b""
        ),
        "range": answer("Range: bytes=10-19\r\n"),
        "range_beyond_the_end": answer("Range: bytes=999999999999-\r\n"),
        "500_headers": answer("".join(f"X-{n}: 1\r\n" for n in range(500))),
        "foreign_host": answer("", "evil.example"),
        "two_hosts": answer("Host: evil.example\r\n"),
    }


_FETCH = """
import resource, sys, time, hashlib, json
from pathlib import Path
way, address, target, sha256, size = sys.argv[1:]
began = time.perf_counter()
error = ""
try:
    if way == "ours":
        from zoo.hub import connect
        from zoo.hub.download import Origin, fetch_files
        from zoo.hub.interface import Listed
        from zoo.progress import Silent
        repo = connect(address, Path.cwd()).repo("model", "local", "m")
        commit = repo.refs().branches["main"]
        fetch_files(Origin(repo, commit, address), [Listed("big", int(size), sha256)], Path(target), Silent())
    else:
        from huggingface_hub import hf_hub_download
        hf_hub_download("local/m", "big", local_dir=target, endpoint=address)
except Exception as found:  # whatever the library raises is the answer that is recorded
    error = f"{type(found).__name__}: {found}"[:200]
seconds = time.perf_counter() - began
there = Path(target) / "big"
right = there.is_file() and hashlib.file_digest(there.open("rb"), "sha256").hexdigest() == sha256
print(json.dumps({"seconds": seconds, "memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                  "file": "right" if right else "wrong" if there.exists() else "absent", "error": error}))
"""


def fetch(way: str, address: str, folder: Path, sha256: str, *, kill_after: float | None = None) -> dict[str, Any]:
    """Fetches the file into ``folder`` in a separate process; earlier parts are kept."""
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(folder / "home")}
    environment = {**os.environ, **quiet}
    words = [sys.executable, "-c", _FETCH, way, address, str(folder), sha256, str(MEGABYTES * 1_000_000)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        out, _ = process.communicate(timeout=kill_after or 300)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"killed": True}
    found: dict[str, Any] = json.loads(out)
    return found


def clients(folder: Path, sha256: str, rounds: int) -> dict[str, Any]:
    """Both clients from our server: normal, with a wrong byte, and interrupted at half."""
    from zoo.hub.server import Access, HubServer

    found: dict[str, Any] = {}
    fault = ""
    server = HubServer(folder / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
    routes = server.routes
    sent = [0]

    def answer(request: Any) -> Any:
        made = routes(request)
        if made.file and request.segments[-1] == "big":
            sent[0] += made.file.length if made.status == 206 else 0
            if fault == "wrong byte":
                made = dataclasses.replace(made, file=dataclasses.replace(made.file, path=folder / "other"))
        return made

    server.answer = answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for way in ("ours", "hf_hub_download"):
        ordinary = []
        for number in range(rounds):
            ordinary.append(fetch(way, server.address, folder / f"{way}-{number}", sha256))
            shutil.rmtree(folder / f"{way}-{number}")
        half = statistics.median(one["seconds"] for one in ordinary)
        fetch(way, server.address, folder / way, sha256, kill_after=max(half * 0.6, 0.3))
        sent[0] = 0
        again = fetch(way, server.address, folder / way, sha256)
        again["requested_as_ranges_megabytes"] = round(sent[0] / 1e6)
        fault = "wrong byte"
        found[way] = {"ordinary": ordinary, "after_a_kill": again,
                      "a_wrong_byte": fetch(way, server.address, folder / f"{way}-wrong", sha256)}  # fmt: skip
        fault = ""
    server.shutdown()
    return found


def prepare(folder: Path) -> str:
    """The file, a copy with one wrong byte, and a folder hub with it. Returns its sha256."""
    from zoo.files.listing import FileRecord
    from zoo.hub import FolderHub
    from zoo.progress import unheard

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    block, sha = hashlib.sha256(b"seed").digest() * 31250, hashlib.sha256()
    with (folder / "big").open("wb") as stream:
        for number in range(MEGABYTES):
            data = number.to_bytes(4, "big") + block[4:]
            stream.write(data)
            sha.update(data)
    shutil.copyfile(folder / "big", folder / "other")
    with (folder / "other").open("r+b") as stream:
        stream.seek(MEGABYTES * 500_000)
        stream.write(b"wrong")
    repo = FolderHub(folder / "hub").repo("model", "local", "m")
    repo.put(folder / "big", sha.hexdigest(), unheard)
    record = FileRecord("big", MEGABYTES * 1_000_000, sha.hexdigest())
    repo.commit(repo.refs().branches.get("main"), [record], [], "big")
    return sha.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hub_choices", description=str(__doc__))
    parser.add_argument("--packages", type=Path, metavar="FOLDER", help="where the other servers are installed")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="reads of each, %(default)s")
    parser.add_argument("--folder", type=Path, default=Path("build/hub_choices"), help="working folder, %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    watch = pairs.watch_cpu()
    try:
        sha256 = prepare(folder)
        servers: dict[str, Any] = {name: {"reads": []} for name in SERVERS}
        for number in range(arguments.rounds):
            for name in SERVERS if number % 2 else reversed(SERVERS):
                with Server(name, folder, arguments.packages) as server:
                    servers[name]["reads"].append(read_all(server))
                    servers[name]["memory_bytes"] = server.memory_bytes()
        for name in SERVERS:
            pairs.tell(f"bad requests to {name}")
            with Server(name, folder, arguments.packages) as server:
                servers[name]["manners"] = manners(server)
        pairs.tell("the clients")
        document = {
            "schema": "benchmark/1",
            "name": "hub_choices",
            "servers": servers,
            "clients": clients(folder, sha256, arguments.rounds),
            "settings": {
                "megabytes": MEGABYTES, "stall_seconds": STALL_SECONDS, "gave_up_after_seconds": GIVE_UP_SECONDS,
            },
            "conditions": {"others_cpu_share": watch.others()},
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(pretty_json(document))
    if arguments.out is not None:
        write_atomic(arguments.out, pretty_json(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
