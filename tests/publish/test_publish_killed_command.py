"""``zoo publish`` as a real process, killed during its requests to ``zoo hub serve``: the same command finishes.

``make test`` kills what the command calls, at random points, in test_publish_random.py.
"""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinyzoo
import yaml

pytest.importorskip("huggingface_hub")
pytest.importorskip("llama_cpp")

from faultserver import Fault, FaultServer

from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer

pytestmark = pytest.mark.long
REPOSITORIES = (("model", "tutored-gguf"), ("dataset", "tutored-prompts"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with version 1.1.0 of ``tutored`` built and not published."""
    zoo = tmp_path_factory.mktemp("killed") / "zoo"
    shutil.copytree(tinyzoo.released_zoo(zoo.parent), zoo)
    recipe = yaml.safe_load((zoo / "recipes/tutored.yaml").read_text(encoding="utf-8"))
    tinyzoo.write_recipe(zoo, {**recipe, "version": "1.1.0"})
    done = tinyzoo.run(zoo, "build", "tutored")
    assert done.returncode == 0, done.stderr
    return zoo


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultServer]:
    """A server over the empty folder ``hub``, behind a proxy that counts requests."""
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with FaultServer(server.address) as before:
        yield before
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [
        ("/commit/", "POST", "call_after"),
        ("/preupload", "POST", "call_after"),
        ("/commit/", "POST", "call"),
        ("/tag/", "POST", "call"),
        ("/tag/", "POST", "call_after"),
        ("/create", "POST", "call_after"),
    ],
)
def test_a_killed_command_is_finished_by_the_same_one(
    path: str, method: str, kind: str, built: Path, tmp_path: Path, proxy: FaultServer
) -> None:
    zoo = tmp_path / "zoo"
    shutil.copytree(built, zoo, ignore=shutil.ignore_patterns("work"))
    command = ("publish", "tutored", "--hub", proxy.address)
    process = tinyzoo.start(zoo, *command, HF_HUB_OFFLINE="0", HF_TOKEN="")
    proxy.break_(Fault(kind, call=process.kill), path=path, method=method)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    catalog = json.loads((zoo / "model_catalog.json").read_text(encoding="utf-8"))
    assert "1.1.0" not in json.dumps(catalog), "it is recorded last"
    proxy.heal()
    done = tinyzoo.run(zoo, *command, HF_HUB_OFFLINE="0", HF_TOKEN="")
    assert done.returncode == 0, done.stderr
    hub = FolderHub(tmp_path / "hub")
    for part, name in REPOSITORIES:
        repo = hub.repo(part, "tiny", name)
        refs = repo.refs()
        assert refs.tags == {"v1.1.0": refs.branches["main"]}
        assert len(repo.history(refs.branches["main"], None)) == 1
        folder = zoo / "build/releases/tutored/1.1.0" / part
        files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
        assert set(repo.tree(refs.branches["main"])) == files
    again = tinyzoo.run(zoo, *command, HF_HUB_OFFLINE="0", HF_TOKEN="")
    assert again.returncode == 0 and "was released before" in again.stdout
    catalog = json.loads((zoo / "model_catalog.json").read_text(encoding="utf-8"))
    model = next(one for one in catalog["models"] if one["name"] == "tutored")
    tag = hub.repo("model", "tiny", "tutored-gguf").refs().tags["v1.1.0"]
    assert tag.startswith(model["releases"][0]["location"]["model"]["commit"])
