"""Other programs' own ways to a release on ``zoo hub serve``, with hf_xet in reach and no variable but HF_ENDPOINT."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tinymodel import make_tiny_llama

from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer, manifests
from zoo.workspace import FileRecord, records

pytest.importorskip("huggingface_hub")
pytest.importorskip("hf_xet")
GGUF = b"GGUF\3\0\0\0" + b"weights" * 1000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A hub with one model: weights for transformers and two files that call themselves GGUF."""
    folder = tmp_path_factory.mktemp("readers")
    model = make_tiny_llama(folder / "model")
    for name in ("tiny-Q8_0.gguf", "tiny-Q4_K_M.gguf"):
        (model / name).write_bytes(GGUF + name.encode())
    repo = FolderHub(folder / "hub").repo("model", "local", "m")
    found = records(model)
    for file in found:
        repo.put(model / file.path, file.sha256, lambda _: None)
    repo.tag("v1.0.0", repo.commit(None, found, [], "first"))
    server = HubServer(folder / "hub", "127.0.0.1", 0, Access())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def environment(server: HubServer, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


def python(program: str, server: HubServer, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(server, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(server: HubServer, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", path, headers={"User-Agent": "llama-cpp", "Accept": "application/json"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_hf_download(served: HubServer, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("hf"), "download", "local/m", "--revision", "v1.0.0"]
    done = subprocess.run(
        [*command, "--local-dir", tmp_path / "back"], env=environment(served, tmp_path), capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back" / "tiny-Q8_0.gguf").read_bytes() == GGUF + b"tiny-Q8_0.gguf"


def test_transformers(served: HubServer, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    program = (
        "import transformers as t; m = t.AutoModelForCausalLM.from_pretrained('local/m', revision='v1.0.0');"
        "k = t.AutoTokenizer.from_pretrained('local/m'); print(m.num_parameters() > 0, len(k('hello').input_ids) > 0)"
    )
    assert python(program, served, tmp_path).split()[-2:] == ["True", "True"]


def test_llama_cpp_pythons_own_download(served: HubServer, tmp_path: Path) -> None:
    """What ``llama_cpp.Llama.from_pretrained`` calls: a listing, then one file into the cache."""
    program = (
        "from huggingface_hub import HfFileSystem, hf_hub_download;"
        "names = [f['name'].removeprefix('local/m/') for f in HfFileSystem().ls('local/m', recursive=True)];"
        "(one,) = [n for n in names if n.endswith('Q8_0.gguf')];"
        "print(open(hf_hub_download('local/m', one), 'rb').read(4))"
    )
    assert python(program, served, tmp_path).strip() == "b'GGUF'"


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
        assert status == 200 and raw[:4] == b"GGUF" and len(raw) == found["size"]


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
