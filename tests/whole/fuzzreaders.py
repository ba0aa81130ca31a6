"""The readers of everything that others may have written, each with a valid file. For tests of damage."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from fuzzing import Case, Reader
from sitesamples import sample

from catalog import cardrules, index, watch, yamltext
from catalog.checks import check_recipe
from catalog.lock import Lock
from catalog.recipe import plain
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.choose import pick
from zoo.corpora import datafiles
from zoo.corpora.prompts import parse_prompts
from zoo.errors import ZooError
from zoo.files import checked
from zoo.judge import gates
from zoo.plan.store import Workspace
from zoo.progress import Silent
from zoo.publish.journal import Journal
from zoo.pull import accounts, pulling, verifying
from zoo.release.folder import load
from zoo.site import pages, state

REPOSITORY = Path(__file__).parents[2]
SITE = pages.Site(documents=(pages.Link("Tutorial", "tutorial/first-release/"),))


def words(problems: object) -> str:
    assert isinstance(problems, list | tuple)
    assert len(problems) <= 200
    return "\n".join(str(one) for one in problems)


def at(name: str, read: Callable[[Path, Path], object]) -> Reader:
    """A reader of a file of this name: read(path, folder)."""

    def reader(raw: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return read(path, folder)

    return reader


def text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


# --- Readers


def recipe(path: Path, folder: Path) -> object:
    return words(check_recipe(path, folder).problems)


def commands(path: Path, folder: Path) -> object:
    """Commands that read a catalog, and the site."""
    catalog = catalogfile.read_catalog(path, path.name)
    index.to_text(catalog)
    for model in catalog.models:
        for release in model.releases:
            pick.recommendations(release)
        files = pages.make_each(model, SITE, lambda *_: None).files
        assert files
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        for line in (
            ["catalog"],
            ["check", str(path)],
            ["show", catalog.models[0].name if catalog.models else "x"],
        ):
            main([*line, "--json"])
    return said.getvalue()


def evidence(raw: bytes, folder: Path) -> object:
    del folder
    for model in sample().models:
        pages.make_each(model, SITE, lambda *_: raw)
    return ""


def manifest(raw: bytes, folder: Path) -> object:
    """A pulled folder whose manifest is this."""
    accounts.read_sums(raw)
    (folder / "MANIFEST.json").write_bytes(raw)
    (folder / ".zoo").mkdir(exist_ok=True)
    (folder / ".zoo" / "pull.json").write_bytes(raw)
    pulling.read_receipt(folder)
    with contextlib.suppress(ZooError):
        datafiles.parse(raw)
    found = verifying.folder(folder, sample(), "here", Silent(), complete=True)
    return words([one.sentence for one in found.differences][:100])


def artifact(path: Path, folder: Path) -> object:
    """A record of a finished step, and its cached digests."""
    memory = folder / "checked" / "k.json"
    memory.parent.mkdir(exist_ok=True)
    memory.write_bytes(path.read_bytes())
    checked._known.clear()
    (folder / "k" / "a").write_bytes(b"a")
    if found := Workspace(folder).finished("k"):
        found.whole()
    return ""


def release(path: Path, folder: Path) -> object:
    del path
    found = load(folder)
    return str(found and [*found.verdicts, *found.model_files])[:200]


def card(raw: bytes, folder: Path) -> object:
    from zoo.release.cards import read_card

    del folder
    text = text_of(raw)
    found = [*cardrules.check_card(text, "README.md"), *read_card(text, "README.md", "model")[1]]
    return words(found + cardrules.check_eval_results(text, "r.yaml"))


def settings(path: Path, folder: Path) -> object:
    del path
    return str(settings_room.load(folder, {}, {}).values)


def watched(raw: bytes, folder: Path) -> object:
    del folder
    report, problems = watch.parse(text_of(raw), "watch.json")
    if report:
        watch.badge(report)
        watch.badges(report)
    return words(problems)


def publication(path: Path, folder: Path) -> object:
    del folder
    found = Journal(path, "f1")
    return f"{found.kept('model')} {found.committed('model')}"[:200]


def labels(path: Path, folder: Path) -> object:
    from zoo.stages.label import read_journal

    del folder
    for answer in read_journal(path).values():
        hash(answer)
    return ""


def measurements(path: Path, folder: Path) -> object:
    from zoo.llama.search import sensitivity

    del folder
    with sensitivity.Journal.open(path) as journal:
        assert all(error + 0 == error for error in journal.errors.values())
        assert all(sensitivity.mean(kld) is not None for kld in journal.kld.values())
    return ""


def gguf_header(path: Path, folder: Path) -> object:
    from zoo.gguf import caches, header, privacy
    from zoo.gguf.facts import header_facts

    found = header.read_header(path)
    caches.cache_of(found)
    privacy.local_path_keys(found)
    json.dumps(header_facts(path), allow_nan=False, default=str)
    header.rewrite_header(path, folder / "again.gguf", {"general.name": "x"})
    return ""


def imatrix(path: Path, folder: Path) -> object:
    from zoo.gguf.imatrix import read_imatrix

    del folder
    found = read_imatrix(path)
    for name in found.sums:
        found.importance(name)
    found.sha256()
    return ""


def safetensors(path: Path, folder: Path) -> object:
    from zoo.modelfolder import weights

    del folder
    weights.read_header(path, path.name)
    return words([str(one) for one in weights.tensors({path.name: path}, [path.name])][:100])


def in_model_folder(name: str, source: Path) -> Reader:
    """A model folder of which this file is damaged."""

    def read(raw: bytes, folder: Path) -> object:
        from zoo.modelfolder.inspection import inspect
        from zoo.modelfolder.record import of_folder
        from zoo.sources import resolve

        for one in source.iterdir():
            (folder / one.name).unlink(missing_ok=True)
            if one.name != name:
                (folder / one.name).symlink_to(one)
        (folder / name).write_bytes(raw)
        resolve.content_sha256(folder, folder.parent.parent)
        json.dumps(of_folder(inspect(folder, source.parent)), default=str)
        return ""

    return read


def cases(base: Path) -> dict[str, Case]:
    """Every reader with a valid file. Those of models need the extras."""
    recipes = sorted((REPOSITORY / "recipes").glob("*.yaml"))
    texts = [path.read_bytes() for path in recipes if not path.name.endswith(".lock.yaml")]
    catalog = index.to_text(sample()).encode()
    pin = {"path": "a.safetensors", "size_bytes": 12, "sha256": "0" * 64}
    lock = {"zoo_lock": 1, "sources": {"hf:a/b": {"revision": "a" * 40, "files": [pin]}}}
    listed = [{**pin, "git_sha1": "0" * 40}, {**pin, "path": "data/b", "git_sha1": "1" * 40}]
    reports = {
        "schema": "dataset-report/1", "redaction": None,
        "loss_curve": [{"step": n, "loss": 2.5 / n, "learning_rate": 1e-3} for n in (1, 2, 3)],
        "samples": [{"decode_tokens_per_second": 4.5}, {"decode_tokens_per_second": 5}], "valid": True,
        "splits": [{"name": "train", "rows": 3, "json_rows": 1, "tags": {"a": 2}, "languages": {"en": 3},
                    "finish": {"stop": 3}, "characters": {"user": {"min": 1, "median": 2, "max": 3}}}],
    }  # fmt: skip
    step = {
        "kind": "k",
        "key": "k",
        "files": [{"path": "a", "size_bytes": 1, "sha256": hashlib.sha256(b"a").hexdigest()}],
        "facts": {"x": 1},
    }
    finding = {"kind": "digest", "name": "m", "version": "1.0.0", "repository": "a/b", "path": "c", "revision": None,
               "expected": "x", "found": "y", "what": "z"}  # fmt: skip
    watch_report = {"schema": watch.SCHEMA, "date": "2026-11-22", "requests": 3, "releases": [], "sources": [],
                    "findings": [finding], "unchecked": [{"what": "a", "why": "b"}]}  # fmt: skip
    model = sample().models[0]
    verdict = dataclasses.asdict(gates.Verdict("kld_mean_nats", None, 0.5, 0.5, 1.0, True, "It is kept."))
    record = {
        "key": "k",
        "model": plain(dataclasses.replace(model, releases=())),
        "release": plain(model.releases[0]),
        "verdicts": [verdict],
        "files": {"model": [], "dataset": []},
    }
    prompts = [{"user": f"question {n}", "tags": ["lang:en"], "system_hint": "Be brief."} for n in range(4)]
    tool = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    prompts.append(
        {"user": "call it", "requires_json": True, "tool_name": "t", "tool_schema": tool, "tags": []}
    )
    journal = [{"step": "begin", "files": "f1"}, {"step": "committing", "kind": "model", "parent": None, "keep": ["x"]},
               {"step": "committed", "kind": "model", "oid": "c" * 40}, {"at": "2026", "step": "done"}]  # fmt: skip
    answers = [
        {"key": f"{n}", "text": "t", "finish": "stop", "tokens": 3, "attempts": 1, "invalid": ""}
        for n in range(3)
    ]
    figures = [["error a Q4_0", 1.5], ["kld a Q4_0", [0.5, 0.25]], ["mix abc", [1, 2]]]
    site_record = {"format": getattr(state, "FORMAT", 1), "parts": {"a": ["k", {"x": [1, 2]}, {}]}}
    toml = b'namespace = "a"\nhub = "build/hub"\nthreads = 2\ndevice = "cpu"\nwork = "w"\nbuilder = "urn:x"\n'

    def as_json(data: Any) -> bytes:
        return json.dumps(data, indent=2).encode()

    def as_lines(rows: list[Any]) -> bytes:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    cards = sorted((REPOSITORY / "tests/golden/cards").glob("*.md"))[:3]
    of_recipe = at(f"recipes/{recipes[0].stem}.yaml", recipe)
    found = [
        *(Case(f"recipe {n}", "text", text, of_recipe) for n, text in enumerate(texts)),
        Case("recipe as JSON", "json", as_json(yamltext.parse(texts[0], "x").data), at("recipes/x.yaml", recipe)),
        Case("lock", "json", as_json(lock), at("x.lock.yaml", lambda p, _: words(Lock.read(p, "x")[1]))),
        Case("yaml", "text", yaml.safe_dump(lock).encode(), lambda raw, _: words(yamltext.parse(raw, "x").problems)),
        Case("settings", "text", toml, at("zoo.toml", settings)),
        Case("catalog", "json", catalog, at("model_catalog.json", commands)),
        Case("evidence", "json", as_json(reports), evidence),
        Case("manifest", "json", as_json({"name": "a", "version": "1.0.0", "files": listed}), manifest),
        Case("artifact", "json", as_json(step), at("k/artifact.json", artifact)),
        Case("release record", "json", as_json(record), at("release.json", release)),
        Case("watch report", "json", as_json(watch_report), watched),
        Case("site record", "lines", as_lines([site_record, {"m": 1}]), at("s", lambda p, _: str(state.read(p))[:99])),
        Case("prompts", "lines", as_lines(prompts), lambda raw, _: words(parse_prompts(raw, "x.jsonl")[1])),
        Case("publication", "lines", as_lines(journal), at("j.jsonl", publication)),
        *(Case(f"card {path.name}", "text", path.read_bytes(), card) for path in cards),
    ]  # fmt: skip
    with contextlib.suppress(ImportError):
        found += _of_models(base, as_lines(answers), as_lines(figures))
    return {case.name: case for case in found}


def _of_models(base: Path, answers: bytes, figures: bytes) -> list[Case]:
    import llama_cpp  # noqa: F401 - what follows needs it
    import numpy as np
    from tinygguf import make_tiny_gguf
    from tinymodel import make_tiny_llama

    from zoo.gguf.imatrix import Imatrix

    gguf = make_tiny_gguf(base / "tiny.gguf", width=32, layers=1, vocabulary=300)
    model = make_tiny_llama(base / "model", layers=1)
    matrix = Imatrix({"blk.0.a": np.ones((1, 8), "f4")}, {"blk.0.a": np.ones(1, "f4")}, ("t",), 3, 64)
    small = [path.name for path in sorted(model.iterdir()) if path.suffix == ".json"]
    return [
        Case("GGUF", "binary", gguf.read_bytes(), at("x.gguf", gguf_header)),
        Case("imatrix", "binary", matrix.encoded(), at("i.gguf", imatrix)),
        Case("safetensors", "binary", (model / "model.safetensors").read_bytes(), at("m.safetensors", safetensors)),
        Case("labels", "lines", answers, at("l.jsonl", labels)),
        Case("measurements", "lines", figures, at("m.jsonl", measurements)),
        *(Case(f"model {name}", "json", (model / name).read_bytes(), in_model_folder(name, model)) for name in small),
    ]  # fmt: skip
