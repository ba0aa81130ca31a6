"""The user's token is sent to the hub that the user named and never to one that data names: every command, real
listeners."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import json
import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
import huggingface_hub
import huggingface_hub.constants
from pullsamples import NAME, Zoo, make_zoo, write_catalog

from catalog.lock import Lock, Pin, PinnedFile
from catalog.recipe import plain
from catalog.release import Location, RecipeRecord
from zoo import cli
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import records
from zoo.hub import Hubs, Listed, approved, located
from zoo.hub.huggingface import Door, HuggingFaceHub, HuggingFaceRepo, client, incoming, reading
from zoo.hub.huggingface.session import BOUND
from zoo.output import Output
from zoo.plan import prepare
from zoo.progress import heard_by
from zoo.release.folder import key_of

REPOSITORY = Path(__file__).parents[2]
TOKEN = "hf_SECRETSECRETSECRET"


class Listener:
    """Answers like a hub that has everything, and records what it receives. to: where it redirects to instead."""

    def __init__(self, to: str = "") -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        keep = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                keep.append(
                    (self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(size))
                )
                raw = b"{}"
                self.send_response(307 if to else 200 if "/refs" in self.path else 401)
                self.send_header("Content-Length", str(len(raw)))
                if to:
                    self.send_header("Location", to + self.path)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(raw)

            do_GET = do_HEAD = do_POST = do_PUT = answer

            def log_message(self, *words: Any) -> None:
                del words

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def told(self) -> bool:
        """Whether the token arrived anywhere."""
        return any(TOKEN in repr(one) for one in self.asked)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()
    huggingface_hub.close_session()


@pytest.fixture
def own() -> Iterator[Listener]:
    """The hub that the user named."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr(client, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    made = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(made.folder)
    return made


def recorded_at(zoo: Zoo, address: str) -> Path:
    """The catalog, naming this address for the release, which has the words of the starter recipe."""
    raw = (REPOSITORY / "recipes" / f"{NAME}.yaml").read_bytes()
    recipe = RecipeRecord(f"{NAME}.yaml", hashlib.sha256(raw).hexdigest(), raw.decode())
    release = dataclasses.replace(zoo.release, recipe=recipe)
    place = Location(address, release.location.model, release.location.model)
    model = dataclasses.replace(zoo.model, releases=(dataclasses.replace(release, location=place),))
    return write_catalog(zoo.folder, dataclasses.replace(zoo.catalog, models=(model,)))


# What is called, OWN for the hub that the user names. The catalog names the stranger for every release. A command
# that is not named here is called as the examples of its help show.
LINES: dict[str, tuple[str, ...]] = {
    **{
        command: tuple(line.removeprefix("zoo ").replace("my-model", NAME) for line in lines)
        for command, lines in cli.EXAMPLES.items()
    },
    "init": ("init more",),
    "new": ("new other --source hf:evil/model",),
    "check": ("check",),
    "review": ("review main..HEAD",),
    "plan": (f"plan {NAME}", "plan remote"),
    "build": ("build remote",),
    "release": (f"release {NAME} --hub OWN", "release remote --hub OWN"),
    "sign": (f"sign {NAME}",),
    "publish": (f"publish {NAME} --hub OWN", f"publish {NAME} --dry-run --hub OWN"),
    "card": (f"card first/{NAME}.yaml", f"card first/{NAME}.yaml --publish --reason 'A word.'"),
    "yank": (f"yank {NAME}@1.0.0 --reason 'It never stops.'",),
    "unyank": (f"unyank {NAME}@1.0.0 --reason 'It stops.'",),
    "watch": ("watch", "watch --full", "watch --no-upstream"),
    "show": (f"show {NAME}",),
    "pick": (f"pick {NAME} --device pi-5-4gb",),
    "pull": (f"pull {NAME} --device pi-5-4gb", f"pull {NAME} --device pi-5-4gb --catalog model_catalog.json"),
    "verify": (f"verify {NAME} --on-hub", f"verify {NAME} --on-hub --full --catalog model_catalog.json"),
    "reproduce": (f"reproduce {NAME}",),
    "catalog": ("catalog",),
    "hub": ("hub serve nowhere", "hub trust https://hub.example"),
    "site": ("site nothing",),
    "clean": ("clean",),
    "lock": ("lock remote",),
    "doctor": ("doctor", "doctor remote"),
    "converter": ("converter --sdist nowhere.tar.gz",),
    "join": ("join nowhere",),
}
OF_CATALOG = ("pull", "verify", "watch", "yank", "unyank", "card")
"""Commands that go to the hub of a release. Only these may talk to an address that the user did not name."""
OF_USER = ("publish", "release", "lock", "watch")
"""Commands that go to the hub that the user named, or that HF_ENDPOINT names."""


def built(zoo: Zoo) -> None:
    """Three recipes: that of the published version, one whose release is built, with a version after those of the
    catalog, and one with a Hub source."""
    shutil.copytree(REPOSITORY / "recipes", zoo.folder / "recipes")
    (zoo.folder / "first").mkdir()
    shutil.copy(zoo.folder / "recipes" / f"{NAME}.yaml", zoo.folder / "first")
    path = zoo.folder / "recipes" / f"{NAME}.yaml"
    path.write_text(path.read_text("utf-8").replace("version: 1.0.0", "version: 9.9.9"), encoding="utf-8")
    text = path.read_text("utf-8").replace(f"name: {NAME}", "name: remote")
    text = re.sub(r"source: package:.*", f"source: hf:evil/model@{'7' * 40}", text)
    (zoo.folder / "recipes" / "remote.yaml").write_text(text, encoding="utf-8")
    pins = {f"hf:evil/model@{'7' * 40}": Pin("7" * 40, (PinnedFile("model.safetensors", 9, "8" * 64),))}
    (zoo.folder / "recipes" / "remote.lock.yaml").write_text(Lock(pins).to_text(), encoding="utf-8")
    settings = settings_room.load(zoo.folder, {}, {})
    planned = prepare.make_plan(NAME, settings)
    folder = zoo.folder / "build" / "releases" / NAME / "9.9.9"
    for name in ("README.md", "model-Q8_0.gguf", "MANIFEST.json"):
        (folder / "model").mkdir(parents=True, exist_ok=True)
        (folder / "model" / name).write_text(name, encoding="utf-8")
    release = dataclasses.replace(zoo.release, version="9.9.9", evidence=())
    record = {
        "key": key_of(planned.plan, settings), "verdicts": [],
        "model": {k: v for k, v in plain(zoo.model).items() if k != "releases"},
        "release": {k: v for k, v in plain(release).items() if k != "location"},
        "files": {"model": [vars(one) for one in records(folder / "model")], "dataset": []},
    }  # fmt: skip
    (folder / "release.json").write_text(pretty_json(record), encoding="utf-8")


def test_every_command_is_called() -> None:
    assert LINES.keys() == cli.COMMANDS.keys() == cli.EXAMPLES.keys() and all(LINES.values())
    assert all(line.split()[0] == command for command, lines in LINES.items() for line in lines)


@pytest.mark.parametrize("line", [line for lines in LINES.values() for line in lines])
def test_a_hub_that_a_catalog_names_gets_no_token(
    line: str,
    zoo: Zoo,
    listener: Listener,
    own: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", own.address)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", own.address)
    recorded_at(zoo, listener.address)
    built(zoo)
    words = shlex.split(line.replace("OWN", own.address))
    name = words[0]
    if name == "unyank":
        main(["yank", words[1], "--reason", "It never stops.", "--catalog-only"])
    main([*words, "--log", "json"])
    said = capsys.readouterr()
    assert not listener.told and all("authorization" not in headers for _, headers, _ in listener.asked)
    assert TOKEN not in said.out + said.err and "bug in zoo" not in said.err
    assert all(BOUND.lower() not in headers for one in (listener, own) for _, headers, _ in one.asked)
    texts = [str(json.loads(text).get("text", "")) for text in said.err.splitlines() if text.startswith("{")]
    withheld = [text for text in texts if "If you trust it" in text or "zoo hub trust" in text or "add --hub" in text]
    if name in OF_CATALOG:
        assert listener.asked, "the command did not talk to the hub of the catalog"
        (sentence,) = withheld
        # Only the zoo's own catalog has a zoo for which a hub can be approved.
        command = "add --hub" if "--catalog" in words else "run: zoo hub trust"
        assert f"{listener.address}, because only the catalog names this address" in sentence
        assert sentence.endswith(f"If you trust it, {command} {listener.address}")
        assert "Set HF_TOKEN" not in said.err + said.out, "the advice would not help"
    else:
        assert not listener.asked and not withheld
    if name in OF_USER and line != "watch --no-upstream":
        assert own.told, "the hub that the user named did not get the token"


@pytest.mark.parametrize(
    "line", [f"pull {NAME} --device pi-5-4gb --hub OWN", f"publish {NAME} --hub OWN", "lock remote", "watch --hub OWN",
             f"yank {NAME}@1.0.0 --reason x --hub OWN", f"verify {NAME} --on-hub --full --hub OWN"],
)  # fmt: skip
def test_a_redirect_takes_no_token_along(
    line: str, zoo: Zoo, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Listener(to=listener.address)
    monkeypatch.setenv("HF_ENDPOINT", named.address)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", named.address)
    built(zoo)
    main(shlex.split(line.replace("OWN", named.address)))
    named.close()
    assert named.told and not listener.told
    assert all("authorization" not in headers for _, headers, _ in listener.asked)


@pytest.mark.parametrize("way", ["flag", "environment", "approved", "endpoint"])
def test_a_hub_that_the_user_names_gets_it(
    way: str,
    zoo: Zoo,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded_at(zoo, listener.address + "/")
    more = ["--hub", listener.address] if way == "flag" else []
    if way == "environment":
        monkeypatch.setenv("ZOO_HUB", listener.address)
    if way == "approved":
        in_file(zoo, listener.address)
        assert main(["hub", "trust", listener.address]) == 0
    if way == "endpoint":
        monkeypatch.setenv("HF_ENDPOINT", listener.address)
    main(["pull", NAME, "--device", "pi-5-4gb", *more])
    assert listener.told
    assert "token is not sent" not in capsys.readouterr().err


# The same lines without --hub.
BY_FILE = tuple(line.replace(" --hub OWN", "") for lines in LINES.values() for line in lines)


def in_file(zoo: Zoo, address: str) -> None:
    (zoo.folder / "zoo.toml").write_text(f'hub = "{address}"\n', encoding="utf-8")


@pytest.mark.parametrize("line", sorted(set(BY_FILE)))
def test_a_hub_that_only_a_settings_file_names_gets_no_token(
    line: str, zoo: Zoo, listener: Listener, own: Listener, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The file came with a clone, or lies in a folder above."""
    monkeypatch.setenv("HF_ENDPOINT", own.address)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", own.address)
    recorded_at(zoo, listener.address)
    built(zoo)
    in_file(zoo, listener.address)
    (zoo.folder / "deeper").mkdir()
    monkeypatch.chdir(zoo.folder / "deeper")
    main([*shlex.split(line), "--log", "json"])
    said = capsys.readouterr()
    assert not listener.told and TOKEN not in said.out + said.err and "bug in zoo" not in said.err
    if shlex.split(line)[0] in ("publish", "pull", "yank", "unyank", "verify", "watch", "release") and listener.asked:
        assert f"run: zoo hub trust {listener.address}" in said.err


def test_an_approved_hub_of_a_settings_file_gets_it_from_this_zoo_only(
    zoo: Zoo, listener: Listener, own: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built(zoo)
    in_file(zoo, listener.address)
    assert main(["publish", NAME, "--dry-run"]) != 0 and listener.asked and not listener.told
    assert main(["hub", "trust", own.address]) == 0
    assert main(["hub", "trust", own.address, "--forget"]) == 0
    assert main(["hub", "trust", listener.address]) == 0
    assert approved.place().stat().st_mode & 0o022 == 0
    main(["publish", NAME, "--dry-run"])
    assert listener.told
    copy = tmp_path / "copy"
    shutil.copytree(zoo.folder, copy)
    monkeypatch.chdir(copy)
    listener.asked.clear()
    main(["publish", NAME, "--dry-run"])
    assert listener.asked and not listener.told, "an approval is for one folder"
    monkeypatch.setenv("ZOO_HUB", listener.address)
    main(["publish", NAME, "--dry-run"])
    assert listener.told, "a variable is the user's own word"
    monkeypatch.delenv("ZOO_HUB")
    monkeypatch.chdir(zoo.folder)
    in_file(zoo, own.address)
    main(["publish", NAME, "--dry-run"])
    assert own.asked and not own.told, "an approval is for one hub"
    in_file(zoo, listener.address)
    assert main(["hub", "trust", listener.address, "--forget"]) == 0
    listener.asked.clear()
    main(["publish", NAME, "--dry-run"])
    assert listener.asked and not listener.told


def test_a_hub_of_the_catalog_can_be_approved(
    zoo: Zoo, listener: Listener, own: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as a mirror, or the hub that models moved to. The address is the one that the user types."""
    recorded_at(zoo, listener.address)
    in_file(zoo, own.address)
    assert main(["hub", "trust"]) == 0 and "No hub is approved" in capsys.readouterr().out
    assert main(["verify", NAME, "--on-hub"]) == 1 and not listener.told
    advice = f"zoo hub trust {listener.address}"
    assert advice in capsys.readouterr().err
    assert main(shlex.split(advice)[1:]) == 0
    assert own.address not in capsys.readouterr().out
    main(["verify", NAME, "--on-hub"])
    assert listener.told and not own.told
    capsys.readouterr()
    assert main(["hub", "trust"]) == 0 and capsys.readouterr().out == f"{listener.address}\n"
    assert main(["hub", "trust", listener.address, "--forget"]) == 0
    listener.asked.clear()
    main(["verify", NAME, "--on-hub"])
    assert listener.asked and not listener.told


def test_no_hub_over_plain_http_is_approved(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "trust", "http://hub.example"]) == 2 and "no token is ever sent" in capsys.readouterr().err
    assert approved.listed(zoo.folder) == []


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9, "hubs": []}', '{"format": 1, "hubs": [{"zoo": 1}]}', "\0"])
def test_unreadable_approvals_approve_nothing(text: str, zoo: Zoo) -> None:
    in_file(zoo, "https://hub.example")
    approved.place().parent.mkdir(parents=True)
    approved.place().write_text(text, encoding="utf-8")
    assert not approved.is_named_by_user(settings_room.load(zoo.folder, {}, {}))
    assert main(["hub", "trust", "https://hub.example/"]) == 0
    assert approved.is_named_by_user(settings_room.load(zoo.folder, {}, {}))


def test_the_hub_of_the_login_needs_no_approval(zoo: Zoo) -> None:
    in_file(zoo, "https://huggingface.co")
    found = located.hub_of_settings(settings_room.load(zoo.folder, {}, {}))
    assert isinstance(found, HuggingFaceHub) and found.door.api().token is None


def token_for(address: str, named: str, folder: Path) -> str | bool | None:
    hub = Hubs(folder, named).open(address)
    assert isinstance(hub, HuggingFaceHub)
    return hub.door.api().token


def test_another_port_or_scheme_of_the_named_host_is_another_hub(tmp_path: Path, zoo: Zoo) -> None:
    del zoo
    named = "https://hub.example:8443"
    for other in ("https://hub.example", "https://hub.example:8444", "http://hub.example:8443"):
        assert token_for(other, named, tmp_path) is False
    for same in ("https://hub.example:8443/", "https://HUB.example:8443"):
        assert token_for(same, named, tmp_path) is None
    assert token_for("https://huggingface.co", "build/hub", tmp_path) is None
    for evil in ("https://huggingface.co.evil.example", "https://evil.example/huggingface.co"):
        assert token_for(evil, named, tmp_path) is False


def test_plain_http_gets_no_token_and_it_is_said_once(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    del zoo
    door = Door("http://hub.example", named=True)
    with heard_by(Output(False, False, True)):
        assert [door.api().token for _ in range(3)] == [False] * 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "token is not sent to http://hub.example, because it uses plain http" in line


def test_a_token_is_bound_to_one_hub(zoo: Zoo, listener: Listener, own: Listener) -> None:
    """As where an upload is to be confirmed: the client sends its headers to whatever address an answer has."""
    del zoo
    headers = Door(own.address, named=True).headers()
    assert TOKEN in repr(headers)
    from huggingface_hub.utils import build_hf_headers, get_session

    for address in (own.address, listener.address):
        get_session().post(f"{address}/verify", headers=headers, json={})
    assert own.told and listener.asked and not listener.told
    own.asked.clear()
    get_session().post(own.address, headers=build_hf_headers(token=TOKEN), json={})
    assert own.asked and not own.told, "a token that is bound to no hub was sent"


FILE = Listed("a.bin", 3, "a" * 64)
CALLS: dict[str, Callable[[HuggingFaceRepo, Path], object]] = {
    "refs": lambda repo, _: repo.refs(),
    "tree": lambda repo, _: repo.tree("c" * 40),
    "listing": lambda repo, _: repo.listing("c" * 40),
    "served": lambda repo, _: repo.served("c" * 40, "a.bin"),
    "history": lambda repo, _: repo.history("c" * 40, None),
    "commit_of": lambda repo, _: repo.commit_of(None),
    "open": lambda repo, _: reading.stream(repo.door, repo.kind, repo.identity, "c" * 40, FILE),
    "incoming": lambda repo, _: repo.incoming("c" * 40, FILE, 0, 3, 5.0),
    "other_way": lambda repo, folder: repo.other_way("c" * 40, FILE, folder),
    "tag": lambda repo, _: repo.tag("v1", "c" * 40),
    "commit": lambda repo, _: repo.commit(None, [], ["x"], "message"),
    "begin": lambda repo, _: repo.begin("x", "c" * 40),
    "end": lambda repo, _: repo.end("x"),
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_of_a_repository_takes_the_token_to_its_hub_only(
    call: str, named: bool, zoo: Zoo, listener: Listener, tmp_path: Path
) -> None:
    del zoo
    repo = HuggingFaceHub(Door(listener.address, named)).repo("model", "a", "b")
    with contextlib.suppress(ZooError):
        CALLS[call](repo, tmp_path)
    assert listener.asked
    sent = [headers.get("authorization") for _, headers, _ in listener.asked]
    assert set(sent) == ({f"Bearer {TOKEN}"} if named else {None})


def test_the_stores_own_client_takes_the_token_only_to_the_hub(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has connections of its own, and asks for keys at the address that the hub's answer names."""
    del zoo
    for route, safe in (("https://hub.example/api/x", True), ("https://evil.example/api/x", False)):
        found = SimpleNamespace(xet_file_data=SimpleNamespace(refresh_route=route))
        monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, f=found, **__: f)
        api = Door("https://hub.example", named=True).api()
        announced = incoming._announced(api, "a/b", "c", "model", "d")
        assert incoming._refreshes_at_home(api, announced) is safe
