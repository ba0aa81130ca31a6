"""A hundred random kills and faults on the way to a hub end in the same tree, with one commit and one tag.

``make test`` makes a fifth of them, ``make long`` the others.

The release is tiny, the client, the server and the kills are real. ``SEED`` chooses where; a failure names its point.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from faultserver import Fault, FaultServer, proxy_page, too_many
from hubserving import LARGE
from publishsamples import NAMES, make_release

from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer

SEED, KILLS, FAULTS = 20261124, 60, 50
REQUESTS = 25
BIG = {"tutor-Q8_0.gguf": "w" * 2 * LARGE, "tutor-Q4_0.gguf": "v" * LARGE}
HERE = Path(__file__).parent


class Zygote:
    """Processes that publish, one after another."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        path = os.pathsep.join((str(HERE.parent), str(HERE.parents[1]), os.environ["PYTHONPATH"]))
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py")], env={**kept, "PYTHONPATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.pid = 0

    def publish(self, address: str, zoo: Path, begun: Callable[[], object] = lambda: None) -> str:
        """What the process said at its end. ``begun`` is called when ``pid`` is known."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{address} {zoo}\n")
        self.process.stdin.flush()
        first = self.process.stdout.readline().strip()
        if not first.isdigit():
            self.process.stdout.readline()  # the child was quicker than its parent
            return first
        self.pid = int(first)
        begun()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End the process that publishes now, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.process.kill()
    made.process.communicate()


def arms(dice: random.Random, zygote: Zygote, proxy: FaultServer) -> tuple[str, threading.Timer]:
    """A kill at a random point: before or after a request is carried out, within an upload, or by the timer."""
    never = threading.Timer(600, zygote.kill)
    kind, number = dice.choice(("call", "call_after", "upload", "clock")), dice.randint(1, REQUESTS)
    if kind == "clock":
        seconds = dice.uniform(0.0, 0.5)
        return f"after {seconds:.3f} s", threading.Timer(seconds, zygote.kill)
    if kind == "upload":
        at, number = dice.randint(0, 2 * LARGE), dice.randint(1, 2)
        proxy.break_(Fault("cut_up", at, call=zygote.kill), path="/lfs/", method="PUT", number=number)
        return f"upload {number} at byte {at}", never
    proxy.break_(Fault(kind, call=zygote.kill), number=number)
    return f"{kind} {number}", never


def fault(dice: random.Random, proxy: FaultServer) -> str:
    """One or two faults at random requests, for one or for many requests."""
    said = []
    for _ in range(dice.randint(1, 2)):
        at = dice.choice((0, 10, 1000, LARGE))
        broken = dice.choice(
            (
                Fault("answer", status=dice.choice((400, 401, 403, 404, 409, 412, 500, 502, 503))),
                Fault("lost"), Fault("refuse"), Fault("cut_up", at), Fault("reset", at), Fault("close", at),
                Fault("truncate", at), Fault("corrupt", at), Fault("stall", at), proxy_page(), too_many(0),
            )
        )  # fmt: skip
        number, times = dice.randint(1, REQUESTS), dice.choice((1, 1, 2, 7))
        proxy.break_(broken, number=number, times=times)
        said.append(f"{broken.kind} {broken.status} at request {number}, {times} times")
    return "; ".join(said)


def whole(zoo: Path, release: dict[str, dict[str, FileRecord]]) -> bool:
    """Every reference in the hub's log is a complete release. True when all four references are there."""
    hub, named = FolderHub(zoo / "build" / "hub"), list[str]()
    for kind, name in zip(("model", "dataset"), NAMES, strict=True):
        repo = hub.repo(kind, "local", name)
        log = repo.folder / "refs.log"
        moves = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        for move in moves:
            assert repo.tree(move["oid"]) == release[kind]
            named.append(f"{kind} {move['ref']}")
        assert len({move["oid"] for move in moves}) <= 1
    if any(name.endswith("tags/v1.0.0") for name in named):
        # A tag is set when both repositories are complete.
        assert {"model heads/main", "dataset heads/main"} <= set(named)
    assert len(named) == len(set(named)) <= 4
    return len(named) == 4


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 5))])
def test_random_kills_and_faults(part: int, zygote: Zygote, tmp_path: Path) -> None:
    dice, hits, went_wrong = random.Random(SEED + part), 0, 0
    for point in range((KILLS + FAULTS) // 5):
        zoo = tmp_path / str(point)
        zoo.mkdir()
        (zoo / "zoo.toml").touch()
        made = make_release(zoo, **BIG)
        release = {
            "model": {file.path: file for file in made.model_files},
            "dataset": {file.path: file for file in made.dataset_files},
        }
        total = sum(file.size_bytes for files in release.values() for file in files.values())
        server = HubServer(zoo / "build" / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
        with FaultServer(server.address) as proxy:
            timer = threading.Timer(600, zygote.kill)
            if point % 11 < 6:
                what, timer = arms(dice, zygote, proxy)
            else:
                what = fault(dice, proxy)
            said = zygote.publish(proxy.address, zoo, timer.start)
            timer.cancel()
            where = f"seed {SEED + part} point {point}: {what}: {said}"
            hits += said.startswith("signal") or any(exchange.fault for exchange in proxy.exchanges)
            went_wrong += said != "done"
            assert said in ("done", f"signal {int(signal.SIGKILL)}") or "zoo publish" in said, where
            if said != "done":
                whole(zoo, release)
                sent = proxy.bytes_received()
                proxy.heal()
                again = zygote.publish(proxy.address, zoo)
                assert again in ("done", "already"), f"{where}, then {again}"
                if "signal" in said:
                    # At most the file in flight is sent again; inline files are small.
                    assert sent + proxy.bytes_received() <= total + 2 * LARGE + 40_000, where
            assert whole(zoo, release), where
            proxy.heal()
            assert zygote.publish(proxy.address, zoo) == "already", where
            # Two refs, two trees, and the question whether the large contents are still there.
            assert len(proxy.exchanges) <= 5 and proxy.bytes_received() < 1000, where
        server.shutdown()
        server.server_close()
    assert hits >= 15 and went_wrong >= 8
