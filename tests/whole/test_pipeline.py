"""The complete path through the command line, with tiny random models: nothing is replaced by a fake."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from catalog import index, schema, terms
from zoo import __main__
from zoo.corpora import datafiles
from zoo.files.listing import records
from zoo.gguf.header import read_header
from zoo.gguf.imatrix import read_imatrix
from zoo.plan import prepare, world
from zoo.settings import load
from zoo.site.pages import evidence
from zoo.site.pages.kinds import Site
from zoo.stages.table import STAGES

LADDERS = {"plain": ("F16", "Q8_0", "Q4_0"), "tutored": ("F16", "Q8_0")}
REPOSITORIES = ("model/tiny/plain-gguf", "model/tiny/tutored-gguf", "dataset/tiny/tutored-prompts")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with both recipes released; only read."""
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def zoo(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change, as the current folder."""
    copy = tmp_path / "zoo"
    shutil.copytree(whole, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("ZOO_THREADS", "1")
    return copy


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """``zoo ARGUMENTS`` in this process: exit code, stdout, stderr."""
    code = __main__.main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def release_folder(zoo: Path, name: str) -> Path:
    return zoo / "build" / "releases" / name / "1.0.0"


def commit(zoo: Path, repository: str) -> dict[str, Any]:
    """The commit that the tag of version 1.0.0 names."""
    folder = zoo / "build/hub/repos" / repository
    oid = (folder / "refs/tags/v1.0.0").read_text().strip()
    found: dict[str, Any] = json.loads((folder / "commits" / f"{oid}.json").read_text(encoding="utf-8"))
    return {**found, "oid": oid}


def catalog_of(zoo: Path) -> index.Catalog:
    text = (zoo / "model_catalog.json").read_text(encoding="utf-8")
    catalog, problems = index.parse(text, "model_catalog.json")
    assert not problems
    assert index.to_text(catalog) == text
    return catalog


SMALL = {"ladder": ["Q4_0"], "allow_fallback": True, "imatrix_window_tokens": 64}
"""A ladder whose calibration suits the short texts of the tiny zoo."""


MEASURING = tuple(stage for stage, row in STAGES.items() if row.measures)
"""Stages that measure every file, in the order of the table."""


def made_now(err: str) -> list[str]:
    """Ids of the steps that this run started."""
    return re.findall(r"^\[\d+/\d+\] (\S+)$", err, re.MULTILINE)


def change_recipe(zoo: Path, name: str, **changes: Any) -> None:
    path = zoo / "recipes" / f"{name}.yaml"
    tinyzoo.write_recipe(zoo, {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes})


@pytest.mark.parametrize("part", ["plain/1.0.0/model", "tutored/1.0.0/model", "tutored/1.0.0/dataset"])
def test_a_release_folder_is_complete(whole: Path, part: str) -> None:
    folder = whole / "build/releases" / part
    sums = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert sums.returncode == 0, sums.stdout + sums.stderr
    there = tinyzoo.tree(folder)
    manifest = json.loads(there["MANIFEST.json"])
    assert {entry["path"] for entry in manifest["files"]} == there.keys() - {"MANIFEST.json", "SHA256SUMS"}
    for entry in manifest["files"]:
        raw = there[entry["path"]]
        assert (entry["size_bytes"], entry["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert not [path for path in folder.rglob("*") if path.is_symlink() or path.name.endswith(".tmp")]


def test_only_what_belongs_there_is_published(whole: Path) -> None:
    for name, types in LADDERS.items():
        published = set(commit(whole, f"model/tiny/{name}-gguf")["files"])
        files = {f"{name}-{type_}.gguf" for type_ in types}
        top = files | {"README.md", "MANIFEST.json", "SHA256SUMS", "recipe.yaml", "imatrix.gguf"}
        top |= {"provenance.intoto.json", "bom.cdx.json"}
        assert {path for path in published if "/" not in path} == top
        evidence = {f"evidence/bench-{type_}.{suffix}" for type_ in types for suffix in ("json", "csv")}
        evidence |= {f"evidence/{stem}.json" for stem in ("evaluation", "smoke", "gates", "plan")}
        assert evidence <= published
    data = {"README.md", "MANIFEST.json", "SHA256SUMS", "data/train.jsonl", "data/heldout.jsonl"}
    assert set(commit(whole, "dataset/tiny/tutored-prompts")["files"]) == data


def test_the_hub_has_one_commit_and_one_tag_for_each_repository(whole: Path) -> None:
    for repository in REPOSITORIES:
        folder = whole / "build/hub/repos" / repository
        (oid,) = [path.stem for path in (folder / "commits").iterdir()]
        refs = {path: raw.decode().strip() for path, raw in tinyzoo.tree(folder / "refs").items()}
        assert refs == {"heads/main": oid, "tags/v1.0.0": oid}
        assert len((folder / "refs.log").read_text().splitlines()) == 2
        for sha256, size in commit(whole, repository)["files"].values():
            raw = (whole / "build/hub/objects" / sha256[:2] / sha256).read_bytes()
            assert (len(raw), hashlib.sha256(raw).hexdigest()) == (size, sha256)


def test_the_header_carries_name_licence_version_and_base_model(whole: Path) -> None:
    for name, types in LADDERS.items():
        recipe = (whole / "recipes" / f"{name}.yaml").read_bytes()
        assert (release_folder(whole, name) / "model/recipe.yaml").read_bytes() == recipe
        for type_ in types:
            metadata = read_header(release_folder(whole, name) / "model" / f"{name}-{type_}.gguf").metadata
            assert metadata["general.name"] == name
            assert metadata["general.version"] == "1.0.0"
            assert metadata["general.license"] == "Apache-2.0"
            assert metadata["general.base_model.0.repo_url"] == "https://huggingface.co/tests/tiny-random"
            assert not [
                value for value in metadata.values() if isinstance(value, str) and value.startswith("/")
            ]


def test_nothing_that_is_published_names_this_machine(whole: Path) -> None:
    me = pwd.getpwuid(os.getuid())
    secrets = [
        str(whole), str(whole.parents[1]), *tinyzoo.STRANGER.values(), str(Path.home()) + "/", me.pw_dir + "/",
        str(Path(__file__).parents[2]),
    ]  # fmt: skip
    # A shorter name would be found in any weights.
    secrets += [name for name in [socket.gethostname()] if len(name) > 6]
    published = {
        **tinyzoo.tree(whole / "build/hub"),
        **tinyzoo.tree(whole / "build/releases"),
        **tinyzoo.tree(whole / "site"),
        "model_catalog.json": (whole / "model_catalog.json").read_bytes(),
    }
    assert len(published) > 50
    found = {
        (name, secret) for name, raw in published.items() for secret in secrets if secret.encode() in raw
    }
    assert not found


def test_cards_recipes_and_the_catalog_pass_zoo_check(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cards = [str(path.relative_to(zoo)) for path in (zoo / "build/releases").rglob("README.md")]
    assert len(cards) == 3
    code, out, _ = call(capsys, "check", "--json", *cards, "recipes", "model_catalog.json", "texts")
    assert (code, json.loads(out)["problems"]) == (0, [])
    assert len(json.loads(out)["checked"]) == 3 + 2 + 1 + 2


def test_the_catalog_says_what_the_release_holds(whole: Path) -> None:
    catalog = catalog_of(whole)
    assert [model.name for model in catalog.models] == ["plain", "tutored"]
    for model in catalog.models:
        (release,) = model.releases
        assert tuple(file.type for file in release.files) == LADDERS[model.name]
        assert release.location.model.commit == commit(whole, f"model/tiny/{model.name}-gguf")["oid"]
        assert release.location.model.name == f"tiny/{model.name}-gguf"
        for file in release.files:
            raw = (release_folder(whole, model.name) / "model" / file.path).read_bytes()
            assert (file.size_bytes, file.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
            assert file.smoke_passed
    plain, tutored = (model.releases[0] for model in catalog.models)
    assert plain.training is None and plain.dataset is None and plain.location.dataset is None
    assert tutored.location.dataset and tutored.dataset and tutored.training
    assert tutored.architecture.layers == 1 and plain.architecture.layers == 2
    assert tutored.training.after.kld_mean_nats < tutored.training.before.kld_mean_nats
    assert plain.files[1].loss and plain.files[2].loss
    assert plain.files[1].loss.kld_mean_nats < plain.files[2].loss.kld_mean_nats


def test_evidence_files_are_copied_for_the_site(whole: Path) -> None:
    for model in catalog_of(whole).models:
        (release,) = model.releases
        copies = tinyzoo.tree(whole / "site/evidence" / model.name / release.version)
        originals = tinyzoo.tree(release_folder(whole, model.name) / "model/evidence")
        assert copies == originals
        assert {f.path: f.sha256 for f in release.evidence} == {
            path: hashlib.sha256(raw).hexdigest() for path, raw in copies.items()
        }


def test_evidence_is_as_its_published_schemas_say(whole: Path) -> None:
    stems = {"evaluation": "evaluation-v1", "probes": "probes-v1", "gates": "gates-v1", "smoke": "smoke-v1"}
    for name, types in LADDERS.items():
        folder = release_folder(whole, name) / "model/evidence"
        for stem, known in {**stems, **{f"bench-{type_}": "bench-report-v1" for type_ in types}}.items():
            content = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
            assert [error.message for error in schema.validator(known).iter_errors(content)] == [], stem


def test_evidence_has_pages_that_know_its_form(whole: Path) -> None:
    assert evidence.KIND.each
    for model in catalog_of(whole).models:
        folder = release_folder(whole, model.name) / "model/evidence"
        made = evidence.KIND.each(model, Site(), lambda _, path, folder=folder: (folder / path).read_bytes())
        assert {path.split("/")[-2] for path in made.files} == {"loss", "probes", "gates", "smoke", "speed"}
        assert not [path for path, html in made.files.items() if "another form" in str(html)]


def test_labels_are_valid_and_in_the_order_of_the_prompts(whole: Path) -> None:
    data = release_folder(whole, "tutored") / "dataset/data"
    for part, prompts in (("train", tinyzoo.TRAIN), ("heldout", tinyzoo.HELDOUT)):
        rows = [
            json.loads(line) for line in (data / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        asked = [
            message["content"] for row in rows for message in row["messages"] if message["role"] == "user"
        ]
        assert asked == [prompt["user"] for prompt in prompts if prompt["user"] in asked]
        wanted = [row for row in rows if row["requires_json"]]
        assert wanted
        for row in wanted:
            assert set(json.loads(row["messages"][-1]["content"])) == {"ok"}
    report = json.loads((release_folder(whole, "tutored") / "model/evidence/label-report.json").read_text())
    assert (report["rows"], report["json_rows"]) == (len(tinyzoo.TRAIN) + len(tinyzoo.HELDOUT), 3)
    told = json.loads((release_folder(whole, "tutored") / "model/evidence/dataset-report.json").read_text())
    counted = {split["name"]: split["rows"] for split in told["splits"]}
    assert counted == {name: rows for name, rows in report["parts"].items() if rows}
    pinned = (release_folder(whole, "tutored") / "model/evidence" / datafiles.FILE).read_bytes()
    assert {f.path: (f.size_bytes, f.sha256) for f in datafiles.parse(pinned)} == {
        f"data/{f.path}": (f.size_bytes, f.sha256) for f in records(data)
    }


def test_a_second_run_does_nothing(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> dict[Path, int]:
        folders = ("build/work", "build/hub", "build/releases", "site")
        found = [path for folder in folders for path in (zoo / folder).rglob("*") if path.is_file()]
        return {path: path.stat().st_mtime_ns for path in [*found, zoo / "model_catalog.json"]}

    # The zoo is a copy, whose files have other inodes: their digests are computed and stored again.
    call(capsys, "release", "plain", "tutored")
    before = state()
    code, out, err = call(capsys, "release", "plain", "tutored")
    assert code == 0, err
    assert out.count("was released before") == 2
    assert not made_now(err)
    assert state() == before


def test_a_broken_gate_stops_the_release(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = [
        {"metric": "kld_mean_nats", "file": "Q4_0", "at_most": 1e-6},
        {"metric": "size_bytes", "at_most": 10},
    ]
    change_recipe(zoo, "plain", version="1.1.0", gates=gates, quantize=SMALL)
    before, catalog = tinyzoo.tree(zoo / "build/hub"), (zoo / "model_catalog.json").read_bytes()
    code, out, err = call(capsys, "release", "plain")
    assert (code, out) == (3, "")
    # The size is known first, so nothing is measured.
    assert "plain 1.1.0 misses its gates, so it stops after quantize/Q4_0\n  size_bytes of Q4_0 is " in err
    assert not made_now(err) and "kld_mean_nats" not in err and "Not run: evaluate. Change" in err
    assert err.endswith("To measure the rest of this version anyway, run: zoo build plain.\n")
    assert call(capsys, "build", "plain")[0] == 0
    code, out, err = call(capsys, "release", "plain")
    assert (code, out) == (3, "") and not made_now(err)
    assert "plain 1.1.0 did not pass its gates" in err
    assert re.search(
        r"kld_mean_nats of Q4_0 is 0\.\d+ ± .*it must be at most 1e-06 and misses that by 0\.\d+\n", err
    )
    size = (
        r"size_bytes of Q4_0 is \d+; it must be at most 10 and misses that by [\d.e+]+\nNothing was published\."
    )
    assert re.search(size, err)
    assert tinyzoo.tree(zoo / "build/hub") == before
    assert (zoo / "model_catalog.json").read_bytes() == catalog
    code, _, err = call(capsys, "publish", "plain")
    assert code == 3
    assert tinyzoo.tree(zoo / "build/hub") == before


def test_a_promise_that_the_source_does_not_keep_is_reported_before_the_first_step(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_recipe(zoo, "plain", version="1.1.0", context_tokens=4096)
    before = tinyzoo.tree(zoo / "build/hub")
    code, out, err = call(capsys, "release", "plain")
    assert (code, out) == (2, "")
    assert "context_tokens: the recipe promises 4,096 tokens of context, but the model has 1,024" in err
    assert not made_now(err)
    assert tinyzoo.tree(zoo / "build/hub") == before
    assert sorted(path.name for path in (zoo / "build/releases/plain").glob("[!.]*[0-9]")) == ["1.0.0"]
    assert not list((zoo / "build/releases/plain").glob(".*.new-*"))


def test_the_importance_matrix_is_published_and_named(zoo: Path) -> None:
    (folder,) = (zoo / "build/releases/plain").glob("[0-9]*[0-9]")
    matrix = read_imatrix(folder / "model/imatrix.gguf")
    assert matrix.datasets == ("texts/other.txt",)
    record = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "model/imatrix.gguf").read_bytes()).hexdigest()
    files = {file["type"]: file for file in record["release"]["files"]}
    assert [files[t]["imatrix_sha256"] for t in ("F16", "Q8_0", "Q4_0")] == [None, digest, digest]
    assert {"type": "Q4_0", "tensors": 14} in files["Q4_0"]["tensor_types"]
    assert sum(count["tensors"] for count in files["Q4_0"]["tensor_types"]) == files["Q4_0"]["tensors"]
    metadata = read_header(folder / "model" / files["Q4_0"]["path"]).metadata
    assert metadata["quantize.imatrix.dataset"] == "texts/other.txt"
    assert "quantize.imatrix.file" not in metadata
    assert "bits per weight" in str(metadata["general.description"])
    assert json.loads((folder / "model/evidence/imatrix.json").read_text(encoding="utf-8"))["windows"] == 4


def test_editing_one_prompt_asks_the_teacher_one_question(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (journal,) = (zoo / "build/work/labels").glob("*.jsonl")
    before = journal.read_bytes()
    edited = [{**tinyzoo.TRAIN[0], "user": "an edited question"}, *tinyzoo.TRAIN[1:]]
    tinyzoo.write_jsonl(zoo / "texts/train.jsonl", edited)
    code, _, err = call(capsys, "build", "tutored")
    assert code == 0, err
    rows = len(tinyzoo.TRAIN) + len(tinyzoo.HELDOUT)
    assert f"{rows - 1} of {rows} rows already have an answer" in err
    assert made_now(err)[:3] == ["corpus/prompts", "label", "distill"]
    after = journal.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == before.count(b"\n") + 1 == rows + 1


@pytest.mark.long
def test_another_zoo_makes_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    """Only the plain recipe; ``test_crash`` compares the tutored one."""
    other = tinyzoo.make_tiny_zoo(tmp_path / "elsewhere")
    done = tinyzoo.run(other, "build", "plain", "--quiet")
    assert done.returncode == 0, done.stderr
    one, two = release_folder(whole, "plain"), release_folder(other, "plain")
    assert tinyzoo.files_of(one) == tinyzoo.files_of(two)
    assert any(name.endswith("Q4_0.gguf") for name in tinyzoo.files_of(one))
    cards = [
        _without_speeds((folder / "model/README.md").read_text(encoding="utf-8")) for folder in (one, two)
    ]
    assert cards[0] == cards[1]
    assert tinyzoo.steps_of(whole, "plain") == tinyzoo.steps_of(other, "plain")


def _without_speeds(card: str) -> str:
    # The machines are named only when a run was valid, which depends on who else was at work.
    card = re.sub(r"Speeds were measured on:.*?\n\n", "", card, flags=re.DOTALL)
    return re.sub(r"[\d,]+\.\d(?= \|$)|no valid measurement", "SPEED", card, flags=re.MULTILINE)


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = dict.fromkeys(("torch", "llama-cpp-python", "llama.cpp-converter"), "absent")
    versions = world.tool_versions()
    monkeypatch.setattr(world, "tool_versions", lambda: {**versions, **absent})
    before = made(zoo)
    code, out, err = call(capsys, "build", "plain")
    assert (code, out) == (1, "")
    assert (
        "not installed: llama-cpp-python, torch; install with: pip install 'model-zoo-publisher[gguf,train]'"
        in err
    )
    assert "llama.cpp's converter is not installed: zoo converter" in err
    assert err.index("pip install") < err.index("zoo converter"), "its command needs the packages"
    assert made(zoo) == before


def made(zoo: Path) -> dict[str, bytes]:
    """All that a build makes; it also remembers the sources that it read, and a slow one keeps a journal."""
    aside = ("work/runs/", "work/sources-read.json")
    return {name: raw for name, raw in tinyzoo.tree(zoo / "build").items() if not name.startswith(aside)}


def test_a_source_that_is_not_what_the_recipe_pins_is_refused(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo / "models/teacher/generation_config.json").write_text("{}\n", encoding="utf-8")
    before = tinyzoo.tree(zoo / "build/releases")
    code, _, err = call(capsys, "build", "plain")
    assert code == 1
    assert re.search("file:models/teacher has sha256 [0-9a-f]{64}, but the recipe pins [0-9a-f]{64}", err)
    assert tinyzoo.tree(zoo / "build/releases") == before


def test_a_model_folder_can_be_pinned_by_a_lock_file(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = yaml.safe_load((zoo / "recipes/plain.yaml").read_text(encoding="utf-8"))
    student = {key: value for key, value in recipe["student"].items() if key != "sha256"}
    change_recipe(zoo, "plain", student=student)
    code, _, err = call(capsys, "plan", "plain")
    assert code == 2 and "zoo lock recipes/plain.yaml" in err
    assert call(capsys, "lock", "plain")[0] == 0
    planned = prepare.make_plan("plain", load(zoo, {}, {"ZOO_THREADS": "1"}))
    assert planned.to_run == []


def test_too_few_held_out_answers_are_refused_before_training(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distill = yaml.safe_load((zoo / "recipes/tutored.yaml").read_text(encoding="utf-8"))["distill"]
    # The row that asks for JSON has a long system prompt, so its answer is completely dropped.
    change_recipe(zoo, "tutored", version="1.1.0", distill={**distill, "row_tokens": 96})
    code, _, err = call(capsys, "release", "tutored")
    assert code == 2
    assert "1 of 2 held-out conversations have an answer within their first 96 tokens" in err
    assert "Nothing was trained" in err and "checkpoint" not in err


def test_the_site_builds_from_the_result(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    code, out, err = call(capsys, "site", "build", "--json")
    assert code == 0, err
    assert json.loads(out)["folder"] == "build/site"
    pages = list((zoo / "build/site").rglob("*.html"))
    for name in LADDERS:
        assert any(name in page.relative_to(zoo).as_posix() for page in pages)
    shown = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert "plain-Q4_0.gguf" in shown and "zoetester" not in shown and str(zoo) not in shown


def test_terms_go_with_the_release(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = terms.KINDS["LicenseRef-Gemma"]
    (zoo / "licences").mkdir()
    (zoo / "licences" / "LICENSE").write_text(f"{kind.title}: you {terms.AGREED}.\n", encoding="utf-8")
    (zoo / "licences" / "NOTICE").write_text(kind.notice + "\n", encoding="utf-8")
    student = {**tinyzoo.source(zoo), "licence": kind.licence}
    files = ["licences/LICENSE", "licences/NOTICE"]
    own = {"licence": kind.licence, "licence_files": files, "student": student, "gates": []}
    own |= {"quantize": SMALL}
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, "termed", **own))
    code, _, err = call(capsys, "release", "termed")
    assert code == 0, err
    folder = release_folder(zoo, "termed") / "model"
    sums = (folder / "SHA256SUMS").read_text(encoding="utf-8")
    for path in files:
        name = Path(path).name
        assert (folder / name).read_bytes() == (zoo / path).read_bytes() and f"  {name}\n" in sums
        assert name in commit(zoo, "model/tiny/termed-gguf")["files"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: gemma\nlicense_link: LICENSE\n" in card
    release = catalog_of(zoo).release("termed", "1.0.0")
    assert release and release.quantized_source is None and release.terms
    assert release.terms.files == ("LICENSE", "NOTICE") and release.terms.use_policies == (kind.use_policy,)
    # The text is part of the release: a different one makes a different plan.
    before = json.loads((folder.parent / "release.json").read_text(encoding="utf-8"))["key"]
    (zoo / "licences" / "NOTICE").write_text(f"{kind.notice}\nChanged.\n", encoding="utf-8")
    code, out, _ = call(capsys, "plan", "termed", "--json")
    assert code == 0 and before not in out
