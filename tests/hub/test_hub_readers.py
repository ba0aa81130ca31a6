"""How other programs get a release from ``zoo hub serve``, with hf_xet installed and only HF_ENDPOINT set.

llama.cpp's own programs are no package here; TEST_LLAMA_CLI=FOLDER/llama-cli lets the real one download and answer.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from zoo.files.listing import FileRecord, records
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer, manifests

pytest.importorskip("huggingface_hub")
pytest.importorskip("hf_xet")
LLAMA_CLI = os.environ.get("TEST_LLAMA_CLI", "")
CLIENTS = {"client 2": "", "client 1": str(Path(sys.prefix) / "hub1")}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """The folder of a major version of the official client; empty for the installed one."""
    folder = CLIENTS[request.param]
    if folder and not Path(folder).is_dir() and "CI" not in os.environ:
        pytest.skip("version 1 of the client is not installed; run: make environment")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for transformers, and two GGUF files that differ."""
    folder = make_tiny_llama(tmp_path_factory.mktemp("readers") / "model")
    for seed, name in enumerate(("tiny-Q8_0.gguf", "tiny-Q4_K_M.gguf")):
        make_tiny_gguf(folder / name, seed=seed)
    return folder


@pytest.fixture(scope="module")
def served(model: Path) -> HubServer:
    """A hub with this one model."""
    repo = FolderHub(model.parent / "hub").repo("model", "local", "m")
    found = records(model)
    for file in found:
        repo.put(model / file.path, file.sha256, lambda _: None)
    repo.tag("v1.0.0", repo.commit(None, found, [], "first"))
    return started(model.parent / "hub", Access())


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    return started(tmp_path_factory.mktemp("writable"), Access(anonymous_write=True))


def started(folder: Path, access: Access) -> HubServer:
    server = HubServer(folder, "127.0.0.1", 0, access)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def environment(server: HubServer, tmp_path: Path, client: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    paths = [path for path in (client, kept.get("PYTHONPATH", "")) if path]
    return {
        **kept,
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def python(program: str, server: HubServer, tmp_path: Path, client: str = "") -> str:
    return run([sys.executable, "-c", program], environment(server, tmp_path, client))


def ask(server: HubServer, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", path, headers={"User-Agent": "llama-cpp", "Accept": "application/json"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_hf_download(client: str, served: HubServer, tmp_path: Path, model: Path) -> None:
    command = [str(Path(sys.executable).with_name("hf")), "download", "local/m", "--revision", "v1.0.0"]
    run([*command, "--local-dir", str(tmp_path / "back")], environment(served, tmp_path, client))
    for name in ("tiny-Q8_0.gguf", "config.json"):
        assert (tmp_path / "back" / name).read_bytes() == (model / name).read_bytes()


def test_transformers(client: str, served: HubServer, tmp_path: Path) -> None:
    """A folder, then one GGUF file; one process, as most of its time goes into imports."""
    pytest.importorskip("transformers")
    program = (
        "import transformers as t; m = t.AutoModelForCausalLM.from_pretrained('local/m', revision='v1.0.0');"
        "k = t.AutoTokenizer.from_pretrained('local/m'); print(m.num_parameters() > 0, len(k('hello').input_ids) > 0);"
        "where = dict(gguf_file='tiny-Q8_0.gguf', revision='v1.0.0');"
        "m = t.AutoModelForCausalLM.from_pretrained('local/m', **where);"
        "k = t.AutoTokenizer.from_pretrained('local/m', **where);"
        "ids = k('hello there', return_tensors='pt').input_ids;"
        "print(m.config.num_hidden_layers, k.decode(ids[0]), m.generate(ids, max_new_tokens=2).shape[1] - ids.shape[1])"
    )
    said = python(program, served, tmp_path, client).split()
    assert said[-6:] == ["True", "True", "2", "hello", "there", "2"]


def test_llama_cpp_pythons_own_download(client: str, served: HubServer, tmp_path: Path) -> None:
    """A listing, then one file into the cache, which answers."""
    pytest.importorskip("llama_cpp")
    program = (
        "import llama_cpp; m = llama_cpp.Llama.from_pretrained('local/m', '*Q8_0.gguf', n_ctx=64, n_threads=1,"
        "n_threads_batch=1, verbose=False); print(m('hello', max_tokens=2)['usage']['completion_tokens'])"
    )
    assert python(program, served, tmp_path, client).split()[-1] == "2"


@pytest.mark.skipif(not LLAMA_CLI, reason="TEST_LLAMA_CLI names no llama-cli")
@pytest.mark.parametrize(("variable", "quant"), [("MODEL_ENDPOINT", ":q8_0"), ("HF_ENDPOINT", "")])
def test_llama_cli(variable: str, quant: str, served: HubServer, tmp_path: Path, model: Path) -> None:
    """The real program: one file, downloaded over http into its own cache, and an answer."""
    own = {name: value for name, value in environment(served, tmp_path).items() if name != "HF_ENDPOINT"}
    own |= {"LLAMA_CACHE": str(tmp_path / "cache"), "LD_LIBRARY_PATH": str(Path(LLAMA_CLI).parent)}
    own[variable] = served.address
    asked = ["-hf", f"local/m{quant}", "-p", "hello", "-n", "4", "-c", "64", "-t", "1", "--single-turn"]
    assert "Generation:" in run([LLAMA_CLI, *asked], own)
    (kept,) = (tmp_path / "cache").rglob("blobs/*")
    expected = (model / f"tiny-{'Q8_0' if quant else 'Q4_K_M'}.gguf").read_bytes()
    assert kept.read_bytes() == expected and kept.name == hashlib.sha256(expected).hexdigest()


def test_hf_upload_with_xet_is_reported_what_to_set(client: str, tmp_path: Path, writable: HubServer) -> None:
    """The unmodified client uses xet if it can, and only shows the address of our refusal, which says what to set."""
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "big.bin").write_bytes(b"x" * (2 << 20))
    command = [str(Path(sys.executable).with_name("hf")), "upload", "local/up", str(tmp_path / "up")]
    own = environment(writable, tmp_path, client) | {"HF_TOKEN": "any-token-0123456789"}
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "HF_HUB_DISABLE_XET=1" in done.stderr
    run(command, own | {"HF_HUB_DISABLE_XET": "1"})
    assert ask(writable, "/local/up/resolve/main/big.bin") == (200, b"x" * (2 << 20))


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("latest", "tiny-Q4_K_M.gguf"),
        ("Q8_0", "tiny-Q8_0.gguf"),
        ("q8_0", "tiny-Q8_0.gguf"),
        ("Q2_K", ""),
        ("8_0", ""),
    ],
)
def test_llama_cpps_way(tag: str, name: str, served: HubServer) -> None:
    """The two ways of llama.cpp's ``-hf``, as its sources ask: a manifest, or references and a tree; then resolve."""
    status, raw = ask(served, f"/v2/local/m/manifests/{tag}")
    assert status == (200 if name else 404)
    if not name:
        return
    found = json.loads(raw)["ggufFile"]
    assert found["rfilename"] == name and found["size"] == found["lfs"]["size"]
    status, raw = ask(served, "/api/models/local/m/refs")
    (commit,) = [ref["targetCommit"] for ref in json.loads(raw)["branches"] if ref["name"] == "main"]
    status, raw = ask(served, f"/api/models/local/m/tree/{commit}?recursive=true")
    (file,) = [entry for entry in json.loads(raw) if entry["path"] == name]
    assert file["lfs"]["oid"] == found["lfs"]["sha256"] and file["oid"]
    for revision in ("main", commit):
        status, raw = ask(served, f"/local/m/resolve/{revision}/{name}")
        assert status == 200 and hashlib.sha256(raw).hexdigest() == found["lfs"]["sha256"]


def test_the_file_that_a_tag_means() -> None:
    def named(*paths: str) -> dict[str, FileRecord]:
        return {path: FileRecord(path, 1, "0" * 64) for path in paths}

    def chosen(tag: str, *paths: str) -> str | None:
        file = manifests.choose(named(*paths), tag)
        return file and file.path

    assert chosen("latest", "x-Q2_K.gguf", "README.md") == "x-Q2_K.gguf"
    assert chosen("latest", "README.md") is None
    assert chosen("Q4_K", "x-Q4_K_M.gguf") is None
    assert (
        chosen("Q8_0", "a-Q8_0-00002-of-00002.gguf", "a-Q8_0-00001-of-00002.gguf")
        == "a-Q8_0-00001-of-00002.gguf"
    )
    assert chosen(".*", "x-Q8_0.gguf") is None
