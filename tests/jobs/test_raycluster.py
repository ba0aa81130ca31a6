"""A real Ray cluster of several nodes on this machine: what is lost runs again, nothing runs twice, the same bytes."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import smalldisk
import stepsbegun
import tinyzoo
import waiting

from zoo import settings as settings_room
from zoo.files.locks import locked_now
from zoo.jobs import attempt, flags, nodes, raycluster, raytask
from zoo.jobs.attempt import Try
from zoo.jobs.engine import Ended, Worker, event
from zoo.jobs.fetched import Home
from zoo.jobs.nodes import Node
from zoo.jobs.processes import Processes
from zoo.jobs.tasks import Room, Schedule, Task
from zoo.stages.table import STAGES

NODE = Node("id", "10.0.0.2", 4.0, 1.0, 8e9)
TASK = Task("key", "plain", "distill", "distill", (), 6_000_000_000, 0, ("plain",))


def test_a_step_that_no_node_can_make_is_named_before_the_start() -> None:
    large, gpus = replace(TASK, memory_bytes=9_000_000_000), replace(TASK, step="tune", gpus=2)
    assert list(nodes.unplaceable([TASK], [NODE], 4)) == []
    assert list(nodes.unplaceable([large, gpus], [NODE, replace(NODE, gpus=0.0)], 4)) == [
        "plain distill needs 9.00 GB of memory", "plain tune needs 2 GPUs and 6.00 GB of memory",
    ]  # fmt: skip
    assert list(nodes.unplaceable([TASK], [NODE], 8)) == [
        "every step uses 8 threads, and the largest machine has 4 processors"
    ]
    assert list(nodes.unplaceable([TASK], [], 1)) == ["no node is alive"]
    assert list(nodes.unplaceable([replace(large, step="corpus/texts", stage="corpus")], [NODE], 1)) == []


def test_what_only_this_machine_has_for_sure_stays_on_it() -> None:
    """A node without the secret key of redacted rows would make one of its own."""
    at_home = {name for name in STAGES if replace(TASK, stage=name).at_home}
    assert at_home == {"corpus", "ask", "redact"}


def test_a_node_with_another_version_is_named_and_one_without_the_folder_is_sent_its_files(tmp_path: Path) -> None:
    with nodes.marked(tmp_path) as (marker, said):
        mine = dict(raytask.look(marker))
        assert mine["seen"] == said
    assert raytask.look(marker)["seen"] == "" and not [*tmp_path.iterdir()]
    assert list(nodes.unlike(mine, mine, "here")) == []
    other = {name: text for name, text in mine.items() if name != "gguf"}
    other |= {"torch": "2.0.0", "zoo": "0.0.1", **dict.fromkeys(nodes.FACTS, "other")}
    said_of = list(nodes.unlike(mine, other, "10.0.0.2 (pi)"))
    assert f"10.0.0.2 (pi) has gguf absent, this machine {mine['gguf']}" in said_of
    assert f"10.0.0.2 (pi) has zoo 0.0.1, this machine {mine['zoo']}" in said_of
    assert f"10.0.0.2 (pi) has torch 2.0.0, this machine {mine['torch']}" in said_of and len(said_of) == 3
    told = {"folder": "/c", "keeps_bytes": "200000000000"}
    assert nodes.sending(told, "pi", tmp_path, 1_200_000_000) == (
        f"pi does not see {tmp_path}. Its steps get what they read by digest: 1.20 GB of what is here now, and the "
        "results of other steps. It keeps up to 200.0 GB in /c"
    )


@pytest.mark.parametrize("address", ["ray:", "http://host:1", "ray://host", "ray://:1", "ray://host:x", "ray://h:99999"])
def test_what_is_no_address_of_a_cluster_is_refused(address: str, tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    done = tinyzoo.run(zoo, "build", "plain", "--on", address)
    assert done.returncode == 2 and f"--on '{address}' is not the address of a Ray cluster" in done.stderr


def test_a_head_node_that_cannot_start_its_own_process_is_not_asked_for_a_token() -> None:
    """As Ray 2.60 says it when the machine is too busy."""
    error = ConnectionAbortedError(
        "Initialization failure from server:\nTraceback (most recent call last):\n  File \"proxier.py\", line 765\n"
        "    if not self.proxy_manager.start_specific_server(\nRuntimeError: Starting Ray client server failed."
    )
    said = str(raycluster.unusable("ray://h:1", error, "token"))
    assert "ray://h:1 cannot be used: RuntimeError: Starting Ray client server failed. Nothing was started." in said
    assert "ray_client_server" in said and "token" not in said and "Traceback" not in said


def test_an_error_of_a_node_says_where_it_was() -> None:
    assert attempt.placed(event("error", "zoo: the disk is full"), "gpu-1") == event("error", "gpu-1: the disk is full")
    for line in (None, "words of a library", "[1]", event("warning", "the disk is slow")):
        assert attempt.placed(line, "gpu-1") == line


def test_what_a_cluster_places_itself_may_run_beside_anything() -> None:
    alone = replace(TASK, key="b", stage="benchmark", memory_bytes=1 << 50)
    schedule = Schedule([alone, TASK], Room(2, None, placed=True))
    assert schedule.start() == alone and schedule.start() == TASK and schedule.start() is None


def test_settings_without_a_flag_go_to_the_nodes_as_variables(tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    given = settings_room.load(zoo, {"hub": "build/other"}, {"ZOO_PROCESSES": "2", "ZOO_TEACHER_TOKEN": "secret"})
    assert flags.environment(given) == {"ZOO_PROCESSES": "2"}
    assert [*flags.elsewhere(given)][:2] == ["--hub", "build/other"]
    code, lines = raytask.make(
        ["-c", "import os, sys; sys.exit(os.environ['ZOO_PROCESSES'])"], str(zoo), flags.environment(given)
    )
    assert (code, lines) == (1, ["2\n"])


@pytest.mark.long
def test_a_full_disk_of_this_machine_is_no_lost_node(tmp_path: Path) -> None:
    """It would be full on the next node too."""
    ray = pytest.importorskip("ray")
    (tmp_path / "zoo.toml").touch()
    heard: list[str | None] = []
    with smalldisk.mounted(tmp_path / "small", "16k") as small:
        with pytest.raises(OSError, match="No space left"):
            (small / "large").write_bytes(bytes(1 << 20))
        home = Home(settings_room.load(tmp_path, {"work": str(small)}, {}), {}, lambda _: [], {})
        one = Try(ray, home, {}, Processes(Worker([], gated=False), Room(1, None)), object, TASK)
        one.listen(heard.append)
        assert one.wait() == Ended(1)
    said, end = heard
    assert end is None and "No space left on device on this machine" in str(said) and str(small) in str(said)
    assert "Free some space" in str(said)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Nodes:
    """A head without processors, and two nodes with two each, started as people start them. All ask for a token: what
    Ray does without a word depends on what lies in the home folder.
    """

    def __init__(self, folder: Path, hidden: Path | None = None) -> None:
        """hidden: a folder that the two nodes do not see. Each of them then has a cache of its own."""
        self.hidden = hidden
        self.caches: list[Path] = []
        self.port, self.client = free_ports(2)
        self.folder = folder
        self.keys = {raycluster.AUTH_MODE: "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "HOME": str(folder)}
        self.address = f"ray://127.0.0.1:{self.client}"

    def start(self) -> None:
        # A port of the workers' own range is refused.
        self.ray(
            "start", "--head", f"--port={self.port}", f"--ray-client-server-port={self.client}", "--num-cpus=0",
            "--include-dashboard=false", f"--temp-dir={self.folder}", "--min-worker-port=0", "--max-worker-port=0",
        )  # fmt: skip
        for _ in range(2):
            self.add()

    def add(self) -> None:
        """A node. What it does not see is under an empty file system, in a mount namespace of its own."""
        own: dict[str, str] = {}
        before: list[str] = []
        if self.hidden:
            self.caches.append(self.folder / f"cache{len(self.caches)}")
            own = {"ZOO_NODE_CACHE": str(self.caches[-1])}
            hide = f"mount -t tmpfs none {shlex.quote(str(self.hidden))} && exec \"$@\""
            before = ["unshare", "--mount", "sh", "-c", hide, "sh"]
        self.ray("start", f"--address=127.0.0.1:{self.port}", "--num-cpus=2", "--min-worker-port=0",
                 "--max-worker-port=0", before=before, **own)  # fmt: skip

    def ray(self, *words: str, before: Sequence[str] = (), **own: str) -> None:
        command = [*before, sys.executable, "-m", "ray.scripts.scripts", *words, "--node-ip-address=127.0.0.1"]
        # On a busy machine a node takes longer to start than the 30 seconds that Ray waits for it.
        patience = {"RAY_raylet_start_wait_time_s": "300"}
        environment = tinyzoo.environment(RAY_USAGE_STATS_ENABLED="0", **self.keys, **patience, **own)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        """``ray stop`` would end every cluster of this machine."""
        for pid in processes(str(self.folder)):
            os.kill(pid, signal.SIGKILL)


def processes(word: str) -> list[int]:
    """Processes whose command line has a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if word in (place / "cmdline").read_bytes().decode(errors="replace").replace("\0", " "):
                found.append(int(place.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def parent(pid: int) -> int:
    return int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])  # type: ignore[index]  # every process has one


@contextmanager
def running(hidden: Path | None = None) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    # Paths of sockets have at most 107 bytes, too few for those of pytest.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        made = Nodes(Path(folder), hidden)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with running() as made:
        yield made


@pytest.mark.long
def test_a_killed_worker_and_a_killed_node_lose_their_step_only_and_the_bytes_are_those_of_one_machine(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Nodes
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    release = tinyzoo.start(zoo, "release", "--all", "--on", cluster.address, "--threads", "1", **cluster.keys)
    killed = []
    for kind in ("worker", "node"):
        found = 0
        # The second time, the checkpoint is there before the step begins.
        while release.poll() is None and not (
            found := has_checkpoint(zoo / "build/work")
            and max(stepsbegun.begun(zoo).values()) > len(killed)
            and stepsbegun.worker("distill", zoo)
        ):
            time.sleep(0.005)
        ray_worker = parent(found)
        killed.append(ray_worker if kind == "worker" else parent(ray_worker))
        os.kill(killed[-1], signal.SIGKILL)
        waiting.until(lambda found=found: not alive(found), "the step outlives its worker")
    out, err = release.communicate(timeout=1200)
    assert release.returncode == 0 and "2 released, 0 failed" in out, err
    assert err.count("the process of tutored distill was lost") == 2 and "Traceback" not in err, err
    reference = tinyzoo.released_zoo(tmp_path_factory.mktemp("ray-reference"))
    assert stepsbegun.released(zoo) == stepsbegun.released(reference)
    twice = {key for key, times in stepsbegun.begun(zoo).items() if times > 1}
    assert twice == {tinyzoo.steps_of(zoo, "tutored")["distill"]} and max(stepsbegun.begun(zoo).values()) == 3
    assert not list((zoo / "build/work").glob("cluster-*"))
    cluster.add()


def has_checkpoint(work: Path) -> bool:
    """Whether a training that runs has written one."""
    return next((work / "partial").glob("*/scratch/checkpoint-*[0-9]"), None) is not None


def training_on(cache: Path) -> int:
    """The process of the training of a node with this cache, when it has written a checkpoint; 0 before."""
    return has_checkpoint(cache / "work") and stepsbegun.worker_for("distill", cache / "work")


def alive(pid: int) -> bool:
    """A process that has ended, but was not yet waited for, is not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.long
def test_a_stopped_command_ends_its_steps_on_the_cluster_and_the_same_command_continues(
    tmp_path: Path, cluster: Nodes
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    # A gate that nothing can pass stops one recipe, with the reason.
    gates = [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.0}]
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo, "plain", gates=gates))
    command = ("release", "plain", "--on", cluster.address, "--threads", "1")
    release = tinyzoo.start(zoo, *command, **cluster.keys)
    while release.poll() is None and not stepsbegun.worker("import/student", zoo):
        time.sleep(0.005)
    release.send_signal(signal.SIGINT)
    _, err = release.communicate(timeout=120)
    assert release.returncode == 130 and "Traceback" not in err, err
    waiting.until(lambda: not stepsbegun.worker("import/student", zoo), "the step lives on")
    done = tinyzoo.run(zoo, *command, timeout_seconds=1200, **cluster.keys)
    assert done.returncode == 3 and "plain: plain 1.0.0 misses its gates" in done.stderr, done.stderr


@pytest.mark.long
def test_a_cluster_that_is_not_there_or_too_small_is_said(tmp_path: Path, cluster: Nodes) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    done = tinyzoo.run(zoo, "build", "plain", "--on", cluster.address, "--threads", "3", **cluster.keys)
    assert done.returncode == 1 and "every step uses 3 threads, and the largest machine has 2" in done.stderr
    (free,) = free_ports(1)
    done = tinyzoo.run(zoo, "build", "plain", "--on", f"ray://127.0.0.1:{free}", **cluster.keys)
    assert done.returncode == 1 and f"the Ray cluster ray://127.0.0.1:{free} cannot be used" in done.stderr
    assert "Nothing was started." in done.stderr and "Warning" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.long
def test_a_cluster_that_asks_for_a_token_gets_none_unasked_and_the_message_says_how(
    tmp_path: Path, cluster: Nodes
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    command = ("build", "plain", "--on", cluster.address)
    silent = {**cluster.keys, raycluster.AUTH_MODE: ""}
    done = tinyzoo.run(zoo, *command, **silent)
    assert done.returncode == 1 and f"If it asks for a token: export {raycluster.AUTH_MODE}=token" in done.stderr
    without = {**cluster.keys, "RAY_AUTH_TOKEN": ""}
    done = tinyzoo.run(zoo, *command, **without)
    assert done.returncode == 1 and "ray get-auth-token" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A cluster whose nodes do not see the folder ``hidden``."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount file systems")
    with running(tmp_path_factory.mktemp("hidden")) as made:
        yield made


@pytest.mark.long
def test_nodes_that_do_not_see_the_folder_are_sent_what_steps_read_and_the_bytes_are_those_of_one_machine(
    tmp_path_factory: pytest.TempPathFactory, apart: Nodes
) -> None:
    assert apart.hidden
    zoo = tinyzoo.make_tiny_zoo(apart.hidden / "zoo")
    release = tinyzoo.start(zoo, "release", "tutored", "--on", apart.address, "--threads", "1", **apart.keys)
    killed = []
    for kind in ("worker", "node"):
        found = 0
        while release.poll() is None and not (
            found := next(filter(None, (training_on(cache) for cache in apart.caches)), 0)
        ):
            time.sleep(0.005)
        ray_worker = parent(found)
        killed.append(found)
        os.kill(ray_worker if kind == "worker" else parent(ray_worker), signal.SIGKILL)
        waiting.until(lambda found=found: not alive(found), "the step outlives its worker")
    out, err = release.communicate(timeout=1200)
    assert release.returncode == 0 and "tutored 1.0.0" in out, err
    assert err.count(f"does not see {zoo / 'build/work'}. Its steps get what they read by digest: ") == 2, err
    assert err.count("the process of tutored distill was lost") == 2 and "Traceback" not in err, err
    reference = tinyzoo.released_zoo(tmp_path_factory.mktemp("ray-reference"))
    made, expected = (tinyzoo.files_of(one / "build/releases/tutored/1.0.0") for one in (zoo, reference))
    assert made == expected
    steps = tinyzoo.steps_of(zoo, "tutored")
    begun = sum((stepsbegun.begun_in(cache / "work") for cache in apart.caches), stepsbegun.begun(zoo))
    assert {key for key, times in stepsbegun.begun(zoo).items() if times > 1} <= {steps["distill"]}
    # What takes less than a second leaves no journal; these load torch.
    assert {id_.partition("/")[0] for id_, key in steps.items() if key in begun} >= {"import", "distill"}
    away = sum((stepsbegun.begun_in(cache / "work") for cache in apart.caches), Counter[str]())
    assert not {key for id_, key in steps.items() if id_.startswith("corpus")} & {*away}
    assert not list((zoo / "build/work/partial").iterdir()) and not list((zoo / "build/work").glob("cluster-*"))
    apart.add()


@pytest.mark.long
def test_a_stopped_command_ends_its_steps_also_on_nodes_that_do_not_see_the_folder(apart: Nodes) -> None:
    assert apart.hidden
    zoo = tinyzoo.make_tiny_zoo(apart.hidden / "stopped")
    gates = [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.0}]
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo, "plain", gates=gates))
    command = ("release", "plain", "--on", apart.address, "--threads", "1")
    release = tinyzoo.start(zoo, *command, **apart.keys)
    while release.poll() is None and not importing(apart):
        time.sleep(0.005)
    assert any(map(held, (zoo / "build/work/locks").iterdir())), "another command could make the step too"
    release.send_signal(signal.SIGTERM)  # which Ray would answer itself, without a word
    _, err = release.communicate(timeout=120)
    assert release.returncode == 143 and "Traceback" not in err and "zoo: stopped" in err, err
    waiting.until(lambda: not importing(apart), "the step lives on")
    done = tinyzoo.run(zoo, *command, timeout_seconds=1200, **apart.keys)
    assert done.returncode == 3 and "plain: plain 1.0.0 misses its gates" in done.stderr, done.stderr


@pytest.mark.long
def test_commands_at_the_same_time_share_steps_and_nodes_and_no_secret_leaves_this_machine(apart: Nodes) -> None:
    assert apart.hidden
    # Names that no text of ours has.
    variables = ("HF_TOKEN", "ZOO_TEACHER_TOKEN", "AWS_SECRET_ACCESS_KEY")
    tokens = {name: f"secret{secrets.token_hex(8)}" for name in variables}
    zoos = [tinyzoo.make_tiny_zoo(apart.hidden / name) for name in ("first", "second")]
    for zoo in zoos:
        tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo, "plain"))
    command = ("release", "plain", "--on", apart.address, "--threads", "1")
    # Two in the same folder, of which one makes a step that the other waits for, and one with the same steps elsewhere.
    releases = [tinyzoo.start(zoo, *command, **apart.keys, **tokens) for zoo in (zoos[0], *zoos)]
    for release in releases:
        _, err = release.communicate(timeout=1200)
        assert release.returncode == 0 and "was lost" not in err and "Traceback" not in err, err
    first, second = (tinyzoo.files_of(zoo / "build/releases/plain/1.0.0") for zoo in zoos)
    assert first == second and len(first) > 5
    begun = sum((stepsbegun.begun_in(cache / "work") for cache in apart.caches if cache.is_dir()), Counter[str]())
    steps = tinyzoo.steps_of(zoos[0], "plain").values()
    assert 0 < max(begun[key] for key in steps) <= len(zoos), "a zoo makes a step once"
    for place in (apart.folder, apart.hidden):
        for token in tokens.values():
            found = subprocess.run(["grep", "-rlaF", token, place], capture_output=True, text=True, check=False)
            assert not found.stdout, found.stdout


def importing(apart: Nodes) -> bool:
    return any(stepsbegun.worker_for("import/student", cache / "work") for cache in apart.caches)


@pytest.mark.long
def test_a_node_that_cannot_keep_what_it_is_sent_is_named_with_its_folder(apart: Nodes) -> None:
    assert apart.hidden
    zoo = tinyzoo.make_tiny_zoo(apart.hidden / "unkept")
    for cache in apart.caches:
        if cache.exists():
            cache.rename(cache.with_name(f"{cache.name}-before"))
        cache.write_text("in the way")
    done = tinyzoo.run(zoo, "build", "plain", "--on", apart.address, "--threads", "1", **apart.keys)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    place, remedy = "|".join(map(str, apart.caches)), "set ZOO_NODE_CACHE where the node is started"
    said = rf"plain: {platform.node()}: ({place}) cannot be written: [^.]*\. Free some space there.*{remedy}"
    assert re.search(said, done.stderr), done.stderr
    assert "was lost" not in done.stderr


def held(lock: Path) -> bool:
    with locked_now(lock) as is_free:
        return not is_free
