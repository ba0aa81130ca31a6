"""Which calls of the official client this hub answers, in three versions; the documentation has the same table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from clientcalls import BY_DESIGN, CALLS, NO_SUCH
from hubserving import TOKEN, Start, token_file
from test_hub_client_1 import LOWEST, NEWEST

pytest_plugins = ["hubserving"]
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "site" / "docs" / "how-to" / "serve-a-hub.md"
AT_THE_HUB = {"ModelCard.validate", "ModelCard.push_to_hub", "metadata_update"}
"""Version 1 asks the Hugging Face Hub itself about cards, whatever HF_ENDPOINT says."""
REFUSED = [name for name in CALLS if name.startswith(BY_DESIGN)]


@pytest.mark.parametrize(
    ("folders", "version"),
    [((), "2."), ((NEWEST,), "1.33."), ((LOWEST, NEWEST), "1.29.")],
    ids=["client 2", "client 1", "lowest"],
)
def test_calls(folders: tuple[Path, ...], version: str, start: Start, tmp_path: Path) -> None:
    if any(not folder.is_dir() for folder in folders) and "CI" not in os.environ:
        pytest.skip("version 1 of the client is not installed; run: make environment")
    server = start(token_file(tmp_path, "write"))
    path = os.pathsep.join((*map(str, folders), str(HERE), os.environ["PYTHONPATH"]))
    environment = {
        **os.environ, "PYTHONPATH": path, "HF_ENDPOINT": server.address, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "TMPDIR": str(tmp_path),
    }  # fmt: skip
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, str(HERE / "clientcalls.py"), str(tmp_path / "found.json")], env=environment,
        cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["version"].startswith(version)
    calls = {name: said for name, said in found["calls"].items() if said != NO_SUCH}
    wrong = {name: said for name, said in calls.items() if name not in REFUSED and said != "pass"}
    assert wrong.keys() == (AT_THE_HUB if folders else set()), wrong
    for name in set(REFUSED) & calls.keys():
        assert calls[name] != "pass", name
        assert len(calls[name].split()) > 5 and "there is nothing here" not in calls[name], (name, calls[name])
    if not folders:
        assert CALLS.keys() - calls.keys() == {"upload_large_folder"}  # until 1.33


def test_the_page_names_what_is_refused() -> None:
    text = PAGE.read_text("utf-8")
    for name in REFUSED:
        assert f"`{name.removeprefix(BY_DESIGN)}`" in text, name
    assert f"{len(CALLS) - len(REFUSED)} of {len(CALLS)} calls" in text
