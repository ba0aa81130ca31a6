"""A release at several places: the next one is tried when one fails, and none is believed without comparison."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from pullsamples import NAME, NAMESPACE, REPOSITORY, Say, Zoo, make_zoo, publish, write_catalog

from catalog.index import Catalog
from catalog.release import Location, Repository
from zoo.hub import FolderHub

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
NOWHERE = "http://127.0.0.1:9"


def mirrored(zoo: Zoo, folder: Path, hub: str, **changes: bytes) -> Location:
    """The release in another folder hub, at another commit. changes: other contents, as in make_zoo."""
    folder.mkdir(parents=True)
    repo = FolderHub(folder).repo("model", NAMESPACE, REPOSITORY)
    contents = {p: changes.get(p.replace(".", "__").replace("-", "__"), raw) for p, raw in zoo.contents.items()}
    commit = publish(repo, {**contents, "only-here.txt": b"another commit"}, folder)
    digest = hashlib.sha256(zoo.contents["MANIFEST.json"]).hexdigest()
    return Location(hub, Repository(f"{NAMESPACE}/{REPOSITORY}", commit[:40], "v1.0.0", digest), None)


def with_places(zoo: Zoo, *places: Location) -> None:
    """Write the catalog with these places of the release, the first its own."""
    first, *others = places
    release = dataclasses.replace(zoo.release, location=first, mirrors=tuple(others) or None)
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, releases=(release,)),)))


def pulled(zoo: Zoo, say: Say) -> tuple[dict[str, object], str]:
    shutil.rmtree(zoo.folder / f"{NAME}-1.0.0", ignore_errors=True)
    code, out, err = say("pull", f"{NAME}:Q8_0", "--json")
    assert code == 0, err
    assert (zoo.folder / f"{NAME}-1.0.0" / zoo.large).read_bytes() == zoo.contents[zoo.large]
    answer: dict[str, object] = json.loads(out)
    return answer, err


def test_mirrors_are_used_in_order_when_a_place_fails(zoo: Zoo, say: Say, start: Start, tmp_path: Path) -> None:
    own = zoo.release.location
    address = start(folder=tmp_path / "mirror").address
    there = mirrored(zoo, tmp_path / "mirror", address)
    away = dataclasses.replace(there, hub=NOWHERE)
    # The place itself works: no mirror is asked.
    with_places(zoo, own, away)
    answer, err = pulled(zoo, say)
    assert answer["hub"] == "folder" and "mirror" not in err
    # The place is away, and so is the first mirror.
    with_places(zoo, away, dataclasses.replace(away, hub="http://127.0.0.1:10"), there)
    answer, err = pulled(zoo, say)
    assert (answer["hub"], answer["commit"]) == (address, there.model.commit)
    assert err.count("Trying the mirror") == 2 and f"Trying the mirror {NAMESPACE}/{REPOSITORY} on {address}" in err
    assert say("verify", f"{NAME}-1.0.0/")[0] == 0
    receipt = json.loads((zoo.folder / f"{NAME}-1.0.0" / ".zoo" / "pull.json").read_text(encoding="utf-8"))
    assert (receipt["hub"], receipt["commit"]) == (address, there.model.commit)


@pytest.mark.parametrize("fault", ["lost", "no commit", "cut short", "other bytes", "another card"])
def test_a_damaged_or_lying_place_is_left_for_the_mirror(
    fault: str, zoo: Zoo, say: Say, start: Start, tmp_path: Path
) -> None:
    own = zoo.release.location
    large = zoo.hub.folder / "objects" / zoo_digest(zoo)[:2] / zoo_digest(zoo)
    if fault == "lost":
        shutil.rmtree(zoo.hub.folder)
    elif fault == "no commit":
        own = dataclasses.replace(own, model=dataclasses.replace(own.model, commit="0" * 64))
    elif fault == "another card":
        lying = make_zoo(tmp_path / "lying", README__md=b"# Another card\n")
        shutil.rmtree(zoo.hub.folder)
        shutil.copytree(lying.hub.folder, zoo.hub.folder)
        own = dataclasses.replace(own, model=dataclasses.replace(own.model, commit=lying.commit))
    else:
        large.chmod(0o644)
        raw = zoo.contents[zoo.large]
        large.write_bytes(raw[:1000] if fault == "cut short" else bytes([raw[0] ^ 1]) + raw[1:])
    address = start(folder=tmp_path / "mirror").address
    with_places(zoo, own, mirrored(zoo, tmp_path / "mirror", address))
    answer, err = pulled(zoo, say)
    assert answer["hub"] == address and f"{NAMESPACE}/{REPOSITORY} on folder failed: " in err


def zoo_digest(zoo: Zoo) -> str:
    return hashlib.sha256(zoo.contents[zoo.large]).hexdigest()


def test_when_every_place_fails_each_is_named_and_nothing_is_kept(
    zoo: Zoo, say: Say, start: Start, tmp_path: Path
) -> None:
    address = start(folder=tmp_path / "mirror").address
    lying = mirrored(zoo, tmp_path / "mirror", address, README__md=b"# Another card\n")
    with_places(zoo, dataclasses.replace(lying, hub=NOWHERE), lying)
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 1 and err.count("cannot be reached") == 1 and "No mirror served it either:" in err
    assert f"{NAMESPACE}/{REPOSITORY} on {address} failed: " in err and "differs from the release" in err
    assert not (zoo.folder / f"{NAME}-1.0.0" / zoo.large).exists()


def test_a_mirror_of_other_files_is_not_used(zoo: Zoo, say: Say, start: Start, tmp_path: Path) -> None:
    address = start(folder=tmp_path / "mirror").address
    there = mirrored(zoo, tmp_path / "mirror", address)
    pinned = dataclasses.replace(there.model, manifest_sha256="0" * 64)
    away = dataclasses.replace(there.model, commit="1" * 40)
    with_places(zoo, Location(NOWHERE, away, None), dataclasses.replace(there, model=pinned))
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 1 and "mirror" not in err


def test_a_named_hub_is_the_only_one_and_has_its_own_commits(
    zoo: Zoo, say: Say, start: Start, tmp_path: Path
) -> None:
    address = start(folder=tmp_path / "mirror").address
    there = mirrored(zoo, tmp_path / "mirror", address)
    with_places(zoo, zoo.release.location, there)
    code, out, _ = say("pull", f"{NAME}:Q8_0", "--hub", address, "--json")
    assert code == 0 and json.loads(out)["commit"] == there.model.commit
    code, _, err = say("pull", f"{NAME}:Q4_0", "--hub", NOWHERE)
    assert code == 1 and "mirror" not in err


def test_verify_on_hub_looks_at_every_place(zoo: Zoo, say: Say, start: Start, tmp_path: Path) -> None:
    address = start(folder=tmp_path / "mirror").address
    there = mirrored(zoo, tmp_path / "mirror", address, README__md=b"# Another card\n")
    with_places(zoo, zoo.release.location, there)
    code, out, _ = say("verify", f"{NAME}@1.0.0", "--on-hub", "--json")
    places = json.loads(out)["places"]
    assert code == 3 and [bool(place["differences"]) for place in places] == [False, True]
    assert address in places[1]["place"]


@pytest.mark.parametrize("hub", ["file:///etc", "ftp://hub.example", "/etc", "etc"])
def test_a_catalog_cannot_name_a_folder(hub: str, zoo: Zoo, say: Say) -> None:
    with_places(zoo, dataclasses.replace(zoo.release.location, hub=hub))
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 2 and "zoo publish" not in err and "setting hub" not in err, err
    assert f'names the hub "{hub}", which is not an http address' in err
