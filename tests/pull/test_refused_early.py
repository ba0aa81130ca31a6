"""A pull that is refused before anything arrived leaves the folder as it was: no lock, no empty folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")

from faultserver import Fault, FaultServer, proxy_page  # noqa: E402 - after the skip
from pullsamples import NAME, Say, Zoo  # noqa: E402 - after the skip

from zoo.hub.download import Patience, files  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer  # noqa: E402 - after the skip

TARGET = f"{NAME}-1.0.0"


@pytest.fixture
def proxy(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    pause = Patience.pause
    monkeypatch.setattr(Patience, "pause", lambda *words: min(pause(*words), 0.01))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    server = HubServer(zoo.hub.folder, "127.0.0.1", 0, Access())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with FaultServer(server.address) as before:
        yield before
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


FAULTS = {
    "the list": ("/tree/", Fault("answer", status=500)),
    "every file": ("/resolve/", Fault("answer", status=403)),
    "a page": ("/resolve/", proxy_page()),
    "the large file": ("Q8_0", Fault("answer", status=404)),
    "no byte": ("Q8_0", Fault("reset", after_bytes=0)),
    "the card": ("README.md", Fault("refuse")),
}


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_a_hub_that_refuses(name: str, there: bool, zoo: Zoo, proxy: FaultServer, say: Say) -> None:
    path, fault = FAULTS[name]
    proxy.break_(fault, path=path, times=999)
    if there:
        (zoo.folder / TARGET).mkdir()
        (zoo.folder / TARGET / "mine").write_text("mine", encoding="utf-8")
    before = everything(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--hub", proxy.address)
    assert code != 0 and "bug in zoo" not in err
    after = everything(zoo.folder)
    if name in ("the large file", "no byte", "the card"):
        # Small files that arrived are kept for the next try.
        assert not {one for one in after - before if one.endswith(("lock", ".part"))} - {f"{TARGET}/.zoo/pull.lock"}
    else:
        assert after == before
    proxy.heal()
    assert say("pull", f"{NAME}:Q8_0", "--hub", proxy.address)[0] == 0
    left = everything(zoo.folder / TARGET)
    assert not {one for one in left if "partial" in one or "incoming" in one or one.endswith("/lock")}


@pytest.mark.parametrize("name", ["README.md", "Q8_0"])
def test_a_file_that_does_not_end(name: str, zoo: Zoo, proxy: FaultServer, say: Say) -> None:
    before = everything(zoo.folder)
    proxy.break_(Fault("endless"), path=name, times=999)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--hub", proxy.address)
    assert code == 1 and "more than the" in err
    assert everything(zoo.folder) == before


def test_a_full_disk(zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(zoo.folder)
    monkeypatch.setattr(files, "free_bytes", lambda _: 10)
    real = files._Work.need_room

    def need_room(work: files._Work, wanted: list[files.Listed]) -> None:
        if "accounts" not in str(work.folder):
            real(work, wanted)

    monkeypatch.setattr(files._Work, "need_room", need_room)
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 1 and "disk space are needed" in err and "(33.6 MB of it in reserve)" in err
    assert everything(zoo.folder) == before
