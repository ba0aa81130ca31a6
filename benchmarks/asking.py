"""Rows per second of labelling over HTTP, compared with a bare loop that sends the same requests and keeps nothing.

Ours is the stage ``ask`` with everything it does: prompts read and checked, answers validated, a journal that survives
kills, the rows of the corpus written. The server is a process of its own that answers a fixed number of requests at the
same time, each after a fixed time, as a server does whose slots are full; ``--address`` names a real one instead, such
as llama-server. ``settings`` has the memory of the stage, and the size of its journal, for two numbers of rows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import queue
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from catalog.recipe import Label, plain
from zoo.errors import InputError
from zoo.files.listing import records
from zoo.progress import Silent
from zoo.settings import Teacher
from zoo.stages import Context, ask
from zoo.stages.artifact import Artifact
from zoo.teachers.door import Door, Line
from zoo.teachers.servers import Served, served

PAIRS = 5
MODEL = "made-up-1b"
SLOTS, SECONDS = 8, 0.05
"""Of the server: 160 answers per second, which a processor core sends easily."""
MAX_TOKENS = 32
SERVE, RUN = "--serve", "--run"


class Server(ThreadingHTTPServer):
    """Answers after some seconds, SLOTS requests at the same time; the others wait."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds, self.slots = seconds, threading.Semaphore(SLOTS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": MODEL, "owned_by": "made-up"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.slots:
            time.sleep(self.server.seconds)
        message = {"role": "assistant", "content": f"You asked: {body['messages'][-1]['content']}"}
        self._say({
            "model": MODEL, "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 20, "completion_tokens": MAX_TOKENS},
        })  # fmt: skip

    def _say(self, data: object) -> None:
        raw = json.dumps(data).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def serving(seconds: float) -> Iterator[str]:
    """The address of the API of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.asking", SERVE, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def serve(seconds: float) -> None:
    """In that process: print the address, and answer until the end."""
    server = Server(seconds)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


def questions(rows: int) -> list[str]:
    """Texts of the prompts."""
    return [f"Question {number}: what grows in a small garden in October?" for number in range(rows)]


def context(folder: Path, address: str, model: str, rows: int, at_once: int) -> Context:
    """A new folder in which the stage asks every question."""
    facts = {}
    for part, texts in (("train", questions(rows)), ("heldout", ["What is held out?"])):
        (folder / "prompts" / part).mkdir(parents=True)
        lines = "".join(json.dumps({"user": text}) + "\n" for text in texts)
        (folder / "prompts" / part / "00-p.jsonl").write_text(lines, encoding="utf-8")
        facts[part] = [{"name": f"{part}/00-p.jsonl", "path": f"{part}.jsonl", "sha256": "", "language": ""}]
    (folder / "out").mkdir()
    prompts = Artifact("corpus", "k", folder / "prompts", records(folder / "prompts"), facts)
    label = Label(MAX_TOKENS, 0.0, 1.0, 1, at_once, 0, None, None, None)
    return Context(
        {**plain(label), "teacher": {"source": f"server:{model}"}}, {"prompts": prompts}, folder / "out", folder,
        folder, folder / "work", 1, "cpu", Silent(), Teacher(address, named=True),
    )  # fmt: skip


def ours(address: str, model: str, rows: int, at_once: int) -> dict[str, Any]:
    """The stage, from the prompts to the rows of the corpus."""
    folder = Path(tempfile.mkdtemp(prefix="zoo-benchmark-"))
    try:
        there = context(folder, address, model, rows, at_once)
        began = time.perf_counter()
        facts = ask.run(there)
        seconds = time.perf_counter() - began
        journal = sum(path.stat().st_size for path in (folder / "work").rglob("*.jsonl"))
        assert facts["rows"] == rows + 1 == facts["valid_rows"], facts
        return {"rows_per_second": (rows + 1) / seconds, "journal_bytes": journal}
    finally:
        shutil.rmtree(folder)


def bare(address: str, model: Served, rows: int, at_once: int) -> dict[str, Any]:
    """Threads that send the same requests over their own connections, and read the answers."""
    left: queue.SimpleQueue[str] = queue.SimpleQueue()
    for text in (*questions(rows), "What is held out?"):
        left.put(text)
    place = urlsplit(address)
    failed = list[int]()

    def work() -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        while True:
            try:
                text = left.get_nowait()
            except queue.Empty:
                return
            body = {
                "model": model.model, "messages": [{"role": "user", "content": text}], "max_tokens": MAX_TOKENS,
                "stream": False, "n": 1, "temperature": 0.0, "top_p": 1.0, "seed": 1, **model.kind.plain,
            }  # fmt: skip
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"{place.path}/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failed.append(response.status)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise InputError(f"the server answered HTTP {failed[0]} to {len(failed)} requests")
    return {"rows_per_second": (rows + 1) / (time.perf_counter() - began)}


def of_size(address: str, model: str, rows: int, at_once: int) -> dict[str, int]:
    """Memory and journal of the stage in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.asking", RUN, address, model, str(rows), str(at_once)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"rows": rows, **found}


def run(address: str, model: str, rows: int, at_once: int) -> None:
    """In that process."""
    journal = ours(address, model, rows, at_once)["journal_bytes"]
    # Linux counts KiB, macOS bytes.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"memory_bytes": memory, "journal_bytes": journal}))


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both ask the same server, with as many requests at the same time."""
    sizes = []
    with serving(0) as quick:
        for rows in arguments.sizes:
            say(f"measuring memory for {rows} rows")
            sizes.append(of_size(quick, MODEL, rows, arguments.at_once))
    with serving(SECONDS) as made_up:
        address, name = arguments.address or made_up, arguments.model
        model = served(Line(Door(address)).look(), name, address)
        yield Comparison(
            name="asking",
            question="How many rows per second are labelled over HTTP, compared with a bare loop of the same requests?",
            a=Side("zoo's stage ask", lambda: ours(address, name, arguments.rows, arguments.at_once)),
            b=Side("a bare loop", lambda: bare(address, model, arguments.rows, arguments.at_once)),
            target=Target("ratio", at_least=0.95),
            figure="rows_per_second",
            settings={
                "rows": arguments.rows, "requests_at_the_same_time": arguments.at_once, "sizes": sizes,
                "server": "the one of --address" if arguments.address else f"{SLOTS} slots of {SECONDS} s",
            },
        )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [SERVE]:
        serve(float(words[1]))
        return 0
    if words[:1] == [RUN]:
        run(words[1], words[2], int(words[3]), int(words[4]))
        return 0
    parser = pairs.parser("asking", str(__doc__), PAIRS)
    parser.add_argument("--rows", type=int, default=2000, help="of each sample (default: 2000)")
    parser.add_argument("--at-once", type=int, default=2 * SLOTS, help=f"requests (default: {2 * SLOTS})")
    parser.add_argument("--address", help="API of a running server, such as http://127.0.0.1:8080/v1")
    parser.add_argument("--model", default=MODEL, help="name under which it answers")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[10_000, 100_000],
        help="rows of which memory and journal are measured, with a server that does not wait (10,000 and 100,000)",
    )  # fmt: skip
    return pairs.main(parser.parse_args(words), prepare)


if __name__ == "__main__":
    sys.exit(main())
