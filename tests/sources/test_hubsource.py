"""Sources on a hub: a model folder that the official client published, from a real server with faults."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")
pytest.importorskip("safetensors")

from faultserver import Fault, FaultServer, proxy_page, too_many  # noqa: E402 - after the skip
from selfsigned import make_certificate  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.lock import Lock  # noqa: E402 - after the skip
from catalog.sources import HubSource  # noqa: E402 - after the skip
from zoo.__main__ import main  # noqa: E402 - after the skip
from zoo.errors import RemoteError, SourceError  # noqa: E402 - after the skip
from zoo.files.digests import git_blob_sha1  # noqa: E402 - after the skip
from zoo.files.listing import FileRecord  # noqa: E402 - after the skip
from zoo.hub.download import Patience, files  # noqa: E402 - after the skip
from zoo.hub.huggingface import incoming  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer, read_tokens, views  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.sources import hub, resolve  # noqa: E402 - after the skip

REPO, TOKEN = "tiny/teacher", "reader-token-0123456789"
QUICK = Patience(
    stall_seconds=1.0,
    first_pause_seconds=0.01,
    longest_pause_seconds=0.05,
    most_connections=1,
    longest_wait_seconds=2,
)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@dataclasses.dataclass
class Here:
    """The model folder, its commit, the proxy before the server, and a place to fetch to."""

    model: Path
    commit: str
    proxy: FaultServer
    cache: Path
    server: HubServer

    def fetch(self, pins: dict[str, str] | None = None, revision: str = "") -> Path:
        return hub.fetch(HubSource(REPO, revision or self.commit), pins, self.cache, Silent(), QUICK)

    def error(self, pins: dict[str, str] | None = None, revision: str = "") -> RemoteError:
        with pytest.raises(RemoteError) as caught:
            self.fetch(pins, revision)
        assert caught.value.advice or caught.value.safe
        return caught.value


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    model = make_tiny_llama(tmp_path / "teacher")
    (model / "pytorch_model.bin").write_bytes(b"a pickle")
    (model / "modeling_tiny.py").write_text("import os\n", encoding="utf-8")
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    api = huggingface_hub.HfApi(endpoint=server.address, token=False)
    with incoming.XET.off():
        api.create_repo(REPO)
        commit = str(api.upload_folder(repo_id=REPO, folder_path=model).oid)
        api.create_tag(REPO, tag="v1.0")
    monkeypatch.setattr(views, "entry", as_the_hub_lists(tmp_path / "hub" / "objects"))
    with FaultServer(server.address) as proxy:
        monkeypatch.setenv("HF_ENDPOINT", proxy.address)
        yield Here(model, commit, proxy, tmp_path / "cache", server)
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


def as_the_hub_lists(objects: Path):
    """Small files with git's digest only, as the Hub's tree has them."""
    whole = views.entry

    def entry(file: FileRecord) -> dict[str, object]:
        if file.path.endswith(".safetensors"):
            return whole(file)
        raw = (objects / file.sha256[:2] / file.sha256).read_bytes()
        return {"type": "file", "oid": git_blob_sha1(raw), "size": len(raw), "path": file.path}

    return entry


USED = {"chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json"}  # fmt: skip


def test_what_is_used_comes_and_nothing_that_runs(here: Here) -> None:
    folder = here.fetch()
    assert {p.name for p in folder.iterdir()} == USED
    assert all((folder / name).read_bytes() == (here.model / name).read_bytes() for name in USED)
    here.proxy.heal()
    assert here.fetch() == folder and not here.proxy.exchanges
    (folder / "config.json").write_text("{}", encoding="utf-8")
    here.fetch()
    assert (folder / "config.json").read_bytes() == (here.model / "config.json").read_bytes()


def test_transformers_loads_what_was_fetched(here: Here) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoConfig, AutoTokenizer

    folder = here.fetch()
    assert AutoConfig.from_pretrained(folder).model_type == "llama"
    assert AutoTokenizer.from_pretrained(folder)("hi")["input_ids"]


def test_lock_pins_every_file_that_is_used(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    uri = f"hf:{REPO}@main"
    (zoo / "recipes" / "it.yaml").write_text(f"student: {{source: '{uri}', licence: MIT}}\n", encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(["lock", "it"]) == 0
    pin = Lock.read(zoo / "recipes" / "it.lock.yaml", "it")[0].pins[uri]
    assert pin.revision == here.commit
    pins = {file.path: file.sha256 for file in pin.files}
    assert pins == {name: hashlib.sha256((here.model / name).read_bytes()).hexdigest() for name in USED}
    spec = {"source": uri, "revision": pin.revision, "files": pins}
    assert resolve.resolve(spec, zoo, here.cache, Silent()).is_dir()
    changed = {**pins, "config.json": "0" * 64}
    error = here.error(changed)
    # This server announces every digest; the Hub itself does so for large files only.
    assert (error.kind, error.facts["expected"], error.facts["got"]) == ("wrong_etag", "0" * 64, pins["config.json"])


def test_a_pin_that_the_hub_contradicts_is_refused_before_a_byte(here: Here) -> None:
    error = here.error({"model.safetensors": "0" * 64})
    assert error.kind == "hash_mismatch" and error.facts["expected"] == "0" * 64
    assert not [e for e in here.proxy.exchanges if "/resolve/" in e.path]
    with pytest.raises(SourceError, match=r"has no file x\.json, which the lock file pins"):
        here.fetch({"x.json": "0" * 64})


FAULTS = {
    "corrupt": (Fault("corrupt", after_bytes=50_000), "model.safetensors", "hash_mismatch"),
    "corrupt small": (Fault("corrupt", after_bytes=3), "config.json", "hash_mismatch"),
    "truncated": (Fault("truncate", after_bytes=50_000), "model.safetensors", "wrong_length"),
    "wrong ETag": (Fault("headers", headers={"ETag": f'"{"1" * 64}"', "X-Linked-ETag": f'"{"1" * 64}"'}),
                   "model.safetensors", "wrong_etag"),
    "rate limit": (too_many(70), "/resolve/", "rate_limited"),
    "rate limit of the tree": (too_many(70), "/tree/", "rate_limited"),
    "500": (Fault("answer", status=500), "model.safetensors", "server_error"),
    "500 of the tree": (Fault("answer", status=500), "/tree/", "server_error"),
    "a page of a proxy": (proxy_page(), "/tree/", "proxy"),
    "a page of a proxy in the place of a file": (proxy_page(), "/resolve/", "proxy"),
    "reset": (Fault("reset", after_bytes=10), "model.safetensors", "unreachable"),
    "gated": (Fault("answer", status=401, headers={"X-Error-Code": "GatedRepo"}), "/tree/", "gated"),
    "private": (Fault("answer", status=401, headers={"X-Error-Code": "RepoNotFound"}), "/tree/", "not_found"),
    "forbidden": (Fault("answer", status=403), "/resolve/", "forbidden"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_has_a_kind_a_remedy_and_leaves_nothing_wrong(case: str, here: Here) -> None:
    fault, path, kind = FAULTS[case]
    here.proxy.break_(fault, path=path, times=1000)
    error = here.error()
    assert error.kind == kind, error
    if kind == "rate_limited":
        assert error.facts["wait_seconds"] == 70 and "in 70 seconds" in error.advice
    there = here.cache / "hub" / "tiny--teacher" / here.commit
    for name in USED:
        assert not (there / name).exists() or (there / name).read_bytes() == (here.model / name).read_bytes()
    here.proxy.heal()
    assert {p.name for p in here.fetch().iterdir()} == USED


def test_what_came_before_a_break_is_not_fetched_again(here: Here) -> None:
    size = (here.model / "model.safetensors").stat().st_size
    here.proxy.break_(Fault("close", after_bytes=size * 4 // 5), path="model.safetensors")
    here.proxy.break_(Fault("answer", status=403), path="model.safetensors", number=2)
    here.error()
    here.proxy.heal()
    here.fetch()
    (again,) = [e for e in here.proxy.exchanges if "model.safetensors" in e.path]
    assert again.status == 206 and again.sent <= size // 5 + 1


@pytest.mark.parametrize(
    ("revision", "words", "nearest"),
    [("mian", "Did you mean main?", ["main"]), ("v1.1", "v1.0", ["v1.0"]), ("qqqq", "Available: main, v1.0", None)],
)
@pytest.mark.usefixtures("here")
def test_a_wrong_revision_is_reported_with_the_nearest(revision: str, words: str, nearest: list[str] | None) -> None:
    with pytest.raises(RemoteError) as caught:
        hub.resolve_revision(HubSource(REPO, revision), Silent(), QUICK)
    assert caught.value.kind == "revision_not_found" and words in caught.value.advice
    assert nearest is None or caught.value.facts["nearest"] == nearest


def test_tokens_are_reported_by_where_they_come_from_and_never_shown(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"read {TOKEN}\n", encoding="utf-8")
    path.chmod(0o600)
    here.server.routes.access = Access(read_tokens(path))
    error = here.error()
    assert error.kind == "token_missing" and "none was sent" in error.what
    monkeypatch.setenv("HF_TOKEN", "wrong-token-9876543210")
    error = here.error()
    assert error.kind == "token_refused" and "the environment variable HF_TOKEN" in error.what
    monkeypatch.delenv("HF_TOKEN")
    stored = tmp_path / "no-token"
    stored.write_text("stored-token-9876543210", encoding="utf-8")
    error = here.error()
    assert error.kind == "token_refused" and "the client's own store" in error.what
    assert "9876543210" not in json.dumps([str(error), error.facts])
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = here.fetch()
    texts = [p.read_bytes() for p in here.cache.rglob("*") if p.is_file()]
    assert folder.is_dir() and not any(TOKEN.encode() in text for text in texts)


def test_the_token_does_not_follow_a_redirect_to_another_port(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with FaultServer(here.server.address) as storage:
        target = f"{storage.address}/{REPO}/resolve/{here.commit}/model.safetensors"
        away = Fault("answer", status=302, headers={"Location": target, "X-Repo-Commit": here.commit})
        here.proxy.break_(away, path="model.safetensors")
        here.fetch()
        (asked,) = storage.exchanges
    first = next(e for e in here.proxy.exchanges if "model.safetensors" in e.path)
    assert first.headers["authorization" if "authorization" in first.headers else "Authorization"] == f"Bearer {TOKEN}"
    assert not any(name.lower() == "authorization" for name in asked.headers)


def test_redirects_without_end(here: Here) -> None:
    again = Fault("answer", status=302, headers={"Location": f"/{REPO}/resolve/{here.commit}/model.safetensors"})
    here.proxy.break_(again, path="model.safetensors", times=1000)
    assert here.error().kind == "refused"


def test_offline_mode_and_what_is_here_already(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    assert here.error().kind == "offline"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    folder = here.fetch()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert here.fetch() == folder


def test_a_full_disk(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda _: 5)
    error = here.error()
    assert error.kind == "disk_full" and error.facts["free_bytes"] == 5 and error.facts["needed_bytes"] > 5


def test_https_to_a_server_that_speaks_http(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", here.server.address.replace("http:", "https:"))
    error = here.error()
    assert error.kind == "tls" and "does not speak https" in str(error) and "http://" in error.remedy


def test_a_certificate_that_is_invalid(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, _ = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # the client ends the handshake
                context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"https://127.0.0.1:{listener.getsockname()[1]}")
        error = here.error()
        listener.shutdown(socket.SHUT_RDWR)
    assert error.kind == "tls" and "is not trusted" in str(error) and "SSL_CERT_FILE" in error.remedy


def test_a_proxy_that_refuses(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
        huggingface_hub.close_session()
        error = here.error()
        listener.shutdown(socket.SHUT_RDWR)
    assert error.kind == "proxy" and "HTTPS_PROXY" in error.remedy


def upload(here: Here, folder: Path) -> str:
    """The commit of another repository state: what is in ``folder`` and nothing else."""
    api = huggingface_hub.HfApi(endpoint=here.server.address, token=False)
    with incoming.XET.off():
        return str(api.upload_folder(repo_id=REPO, folder_path=folder, delete_patterns="*").oid)


def test_a_repository_without_safetensors(here: Here) -> None:
    (here.model / "model.safetensors").unlink()
    (here.model / "original").mkdir()
    (here.model / "original/model.safetensors").write_bytes(b"another layout")
    commit = upload(here, here.model)
    with pytest.raises(SourceError, match=r"has neither model\.safetensors nor"):
        here.fetch(revision=commit)


SECOND_COPIES = ("original/consolidated.safetensors", "onnx/config.json", "metal/model.bin", "consolidated.safetensors",
                 "model.fp16.safetensors", "README.md", "eval.json", "training_args.json")  # fmt: skip
CARRIED = {"LICENSE", "NOTICE.txt", "USE_POLICY.md"}


def with_second_copies(model: Path) -> None:
    for path in (*SECOND_COPIES, *CARRIED):
        (model / path).parent.mkdir(exist_ok=True)
        (model / path).write_text(f"{{}} {path}", encoding="utf-8")


def test_only_files_of_the_root_that_are_read_are_pinned_and_fetched(here: Here) -> None:
    with_second_copies(here.model)
    commit = upload(here, here.model)
    found, files = hub.resolve_revision(HubSource(REPO, commit), Silent(), QUICK)
    assert found == commit and {path for path, _, _ in files} == USED | CARRIED
    folder = here.fetch(revision=commit)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*")} == USED | CARRIED


def test_one_gguf_file_of_a_repository_is_pinned_and_fetched_alone(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.model / "q").mkdir()
    for name in ("q/teacher-Q4_0.gguf", "teacher-Q8_0.gguf"):
        (here.model / name).write_bytes(b"GGUF" + name.encode() * 5000)
    (here.model / "model.safetensors").unlink()
    commit = upload(here, here.model)
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    monkeypatch.chdir(zoo)

    def lock(uri: str) -> str:
        (zoo / "recipes" / "it.yaml").write_text(f"student: {{source: '{uri}', licence: MIT}}\n", encoding="utf-8")
        code = main(["lock", "it"])
        return "" if code == 0 else capsys.readouterr().err

    assert f"Name one of the files: hf:{REPO}/q/teacher-Q4_0.gguf@{commit}" in lock(f"hf:{REPO}@main")
    assert "Its GGUF files: q/teacher-Q4_0.gguf" in lock(f"hf:{REPO}/q/teacher-Q4_K.gguf@main")
    uri, file = f"hf:{REPO}/q/teacher-Q4_0.gguf@main", here.model / "q/teacher-Q4_0.gguf"
    assert not lock(uri)
    pin = Lock.read(zoo / "recipes" / "it.lock.yaml", "it")[0].pins[uri]
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (pin.revision, [(one.path, one.size_bytes, one.sha256) for one in pin.files]) == (
        commit, [("q/teacher-Q4_0.gguf", file.stat().st_size, sha256)]
    )  # fmt: skip
    spec = {"source": uri, "revision": commit, "sha256": sha256, "files": {"q/teacher-Q4_0.gguf": sha256}}
    here.proxy.heal()
    found = resolve.resolve(spec, zoo, here.cache, Silent())
    assert found.read_bytes() == file.read_bytes()
    assert {e.path.rpartition("/")[2] for e in here.proxy.exchanges if "/resolve/" in e.path} == {file.name}
    here.proxy.heal()
    assert resolve.resolve(spec, zoo, here.cache, Silent()) == found and not here.proxy.exchanges
    with pytest.raises(RemoteError, match="with digest"):
        resolve.resolve({**spec, "files": {"q/teacher-Q4_0.gguf": "0" * 64}}, zoo, here.cache, Silent())
    assert resolve.small_files(spec, here.cache, Silent()) is None


def test_an_older_lock_with_second_copies_stays_valid(here: Here) -> None:
    with_second_copies(here.model)
    commit = upload(here, here.model)
    everything = (*USED, *SECOND_COPIES)
    pins = {name: hashlib.sha256((here.model / name).read_bytes()).hexdigest() for name in everything}
    folder = here.fetch(pins, commit)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
    assert names >= USED | {"consolidated.safetensors"} and not any("/" in name for name in names)
    here.proxy.heal()
    assert here.fetch(pins, commit) == folder and not here.proxy.exchanges


def test_of_two_sets_of_weights_none_is_fetched(here: Here) -> None:
    index = {"metadata": {}, "weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (here.model / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    commit = upload(here, here.model)
    with pytest.raises(SourceError, match=r"names missing files: model-00001-of-00001\.safetensors"):
        here.fetch(revision=commit)
    shutil.copy(here.model / "model.safetensors", here.model / "model-00001-of-00001.safetensors")
    both = upload(here, here.model)
    with pytest.raises(SourceError, match=r"two sets of weights: model\.safetensors, and model-00001-of-00001"):
        hub.resolve_revision(HubSource(REPO, both), Silent(), QUICK)
    (here.model / "model.safetensors").unlink()
    (here.model / "extra.safetensors").write_bytes(b"not named by the index")
    folder = here.fetch(revision=upload(here, here.model))
    assert {p.name for p in folder.glob("*.safetensors")} == {"model-00001-of-00001.safetensors"}


def test_the_json_of_an_error(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    text = f"student: {{source: 'hf:{REPO}@mian', licence: MIT}}\n"
    (zoo / "recipes" / "it.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(["lock", "it", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "revision_not_found" and told["where"] == f"hf:{REPO}@mian"
    assert told["facts"]["nearest"] == ["main"] and told["facts"]["address"] == here.proxy.address


def test_lock_refuses_what_the_small_files_of_a_repository_show(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any weight is fetched: an end token without a row, named with file and key."""
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    data = json.loads((here.model / "config.json").read_text(encoding="utf-8"))
    raw = json.dumps({**data, "pad_token_id": 99_999}).encode()
    with incoming.XET.off():
        api = huggingface_hub.HfApi(endpoint=here.server.address, token=False)
        api.upload_file(repo_id=REPO, path_or_fileobj=raw, path_in_repo="config.json")
    (zoo / "recipes" / "it.yaml").write_text(
        f"student: {{source: 'hf:{REPO}@main', licence: MIT}}\n", encoding="utf-8"
    )
    monkeypatch.chdir(zoo)
    assert main(["lock", "it"]) == 1
    said = "".join(capsys.readouterr())
    assert "pad_token_id is 99999" in said and "config.json" in said and "Traceback" not in said
    assert not any("safetensors" in str(exchange) for exchange in here.proxy.exchanges)


def test_lock_fetches_the_licence_text_of_a_repository(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    with incoming.XET.off():
        api = huggingface_hub.HfApi(endpoint=here.server.address, token=False)
        api.upload_file(repo_id=REPO, path_or_fileobj=b"Terms.\n", path_in_repo="LICENSE")
    recipe = f"name: it\nstudent: {{source: 'hf:{REPO}@main', licence: MIT}}\nlicence_files: ['student:LICENSE']\n"
    (zoo / "recipes" / "it.yaml").write_text(recipe, encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(["lock", "it"]) == 0
    assert (zoo / "licences/it/LICENSE").read_bytes() == b"Terms.\n"
    (zoo / "recipes" / "it.yaml").write_text(recipe.replace("LICENSE", "NOTICE"), encoding="utf-8")
    assert main(["lock", "it"]) == 1
    assert "the source has no file NOTICE" in "".join(capsys.readouterr())
