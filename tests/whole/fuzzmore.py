"""More readers of what others may have written: templates, models as they are imported, hubs, keys and caches."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from evidencesamples import shared
from fuzzing import Case, Reader
from fuzzreaders import at, in_model_folder, text_of, words

from catalog import jsontext, reports
from catalog.checks import check_recipe
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.files.digests import digest
from zoo.files.listing import FileRecord, records
from zoo.gguf import fingerprint
from zoo.hub import FolderHub
from zoo.hub.server import access
from zoo.machine import processor
from zoo.plan import foresight
from zoo.progress import Silent
from zoo.publish import hashes
from zoo.upkeep.reproduce import rebuild

CONVERSATIONS = (
    [{"role": "user", "content": "question"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<|im_end|>"}],
)  # fmt: skip
A = hashlib.sha256(b"a").hexdigest()
RECIPE = "recipes/tutored.yaml"
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
MORE_TEMPLATE = (
    "{% macro turn(m, n=2) %}{% set ns = namespace(at=0) %}{% for part in m.content.split(' ') %}"
    "{% set ns.at = ns.at + n * 3 %}{{ part|trim|tojson }}{{ ns.at }}{% endfor %}{% endmacro %}"
    "{% if tools is defined and tools %}{{ tools|tojson(indent=2) }}{% endif %}{{ strftime_now('%d %b %Y') }}"
    "{% for message in messages[0:9] if message.content %}{% generation %}{{ turn(message) }}{% endgeneration %}"
    "{% if loop.last %}{% break %}{% endif %}{% endfor %}"
)


def checked_by_name(name: str) -> Reader:
    """``zoo check FILE``, which chooses a reader by the file's name."""

    def read(path: Path, folder: Path) -> object:
        said = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            main(["check", str(path.relative_to(folder))])
        return said.getvalue()

    return at(name, read)


def argument(raw: bytes, folder: Path) -> object:
    """Words of a command line."""
    given = [word.replace("\0", "") for word in raw.decode("utf-8", "surrogateescape").split("\n")]
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        for before in (["show"], ["pick", "--device"], ["pull", "--to", "p"], ["verify"], ["check"], ["yank"], []):
            main([*before, *given])
    return said.getvalue().encode("utf-8", "replace").decode()


def template(raw: bytes, folder: Path) -> object:
    from zoo.templates.limits import Limits
    from zoo.templates.renderer import Renderer

    del folder
    with Renderer(text_of(raw), special=SPECIAL, source="x", limits=Limits(cpu_seconds=1)) as renderer:
        for messages in CONVERSATIONS:
            renderer.render(messages, tools=[{"name": "t"}])
    return ""


def in_zoo(name: str, zoo: Path) -> Reader:
    """The check of a complete recipe in a zoo of which the file ``name`` is damaged."""

    def read(raw: bytes, folder: Path) -> object:
        for one in zoo.iterdir():
            if not (folder / one.name).exists():
                shutil.copytree(one, folder / one.name) if one.is_dir() else shutil.copy(one, folder)
        (folder / name).write_bytes(raw)
        checked = check_recipe(folder / RECIPE, folder)
        return words([*checked.problems, *foresight.problems(checked, folder)])

    return read


def gguf_source(path: Path, folder: Path) -> object:
    from zoo.sources import facts

    facts.stated_licence(path)
    return str(facts.read(path, folder))[:200]


def pieces(path: Path, folder: Path) -> object:
    from zoo.gguf import sentencepieces

    del folder
    return str(sentencepieces.disagree(path, {"model": {"merges": ["a b", ["b", "c"]]}}))


def imported(name: str, source: Path) -> Reader:
    """The complete import of a model folder in which this file is damaged, or of a damaged GGUF file."""

    def read(raw: bytes, folder: Path) -> object:
        from zoo.modelfolder.inspection import inspect
        from zoo.training.importing import import_model

        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            place = Path(scratch, "source")
            if source.is_dir():
                shutil.copytree(source, place)
                (place / name).write_bytes(raw)
                inspect(place, folder)
            else:
                place = place.with_suffix(".gguf")
                place.write_bytes(raw)
            made = import_model(place, Path(scratch, "out"), Silent(), root=folder)
            json.dumps(dataclasses.asdict(made))
            return "\n".join(made.notes)

    return read


def folder_hub(damage: str, sound: Path) -> Reader:
    """A folder hub in which the newest commit, with its right name, or a ref is damaged."""

    def read(raw: bytes, folder: Path) -> object:
        shutil.rmtree(folder / "hub", ignore_errors=True)
        shutil.copytree(sound, folder / "hub")
        repo = FolderHub(folder / "hub").repo("model", "a", "b")
        branch = repo.folder / "refs" / "heads" / "main"
        if damage == "ref":
            branch.write_bytes(raw)
            (repo.folder / "refs" / "tags" / "v1").write_bytes(raw)
        else:
            with contextlib.suppress(ValueError):
                branch.write_text(digest(jsontext.parse(raw)), encoding="ascii")
            head = branch.read_text(encoding="ascii").strip()
            (repo.folder / "commits" / f"{head}.json").write_bytes(raw)
        refs = repo.refs()
        listed = repo.listing(refs.branches["main"])
        return str(listed) + repo.commit(refs.branches["main"], [FileRecord("b", 1, A)], [], "next")

    return read


def signature(key: Path) -> Callable[[bytes, Path], object]:
    from zoo.release.provenance import signing

    def read(raw: bytes, folder: Path) -> object:
        (folder / "a").write_bytes(b"a")
        (folder / signing.SIGNATURE).write_bytes(raw)
        return str(signing.verify(folder, public_key=key, files=["a"]))

    return read


def public_key(signed: bytes) -> Reader:
    from zoo.release.provenance import signing

    def read(path: Path, folder: Path) -> object:
        (folder / "signed").mkdir(exist_ok=True)
        (folder / "signed" / "a").write_bytes(b"a")
        (folder / "signed" / signing.SIGNATURE).write_bytes(signed)
        return str(signing.verify(folder / "signed", public_key=path))

    return at("key.pub", read)


def evidence_of_a_rebuild(raw: bytes, folder: Path) -> object:
    """Evidence files that ``zoo reproduce`` reads, with the digests that a stranger's catalog records."""
    from sitesamples import sample

    model = sample().models[0]
    settings = settings_room.load(folder, {}, {})
    said = []
    for name, read in (("plan.json", rebuild.recorded_plan), ("tensors.json", rebuild.recorded_fingerprints)):
        place = settings.evidence / model.name / model.releases[0].version / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
        (pin,) = (FileRecord(name, one.size_bytes, one.sha256) for one in records(place.parent) if one.path == name)
        found: Any = read(model.name, dataclasses.replace(model.releases[0], evidence=(pin,)), settings)
        said.append(found)
        if name == "plan.json":
            processor.from_record(found.get("processor") if found else None)
    return ""


def caches(raw: bytes, folder: Path) -> object:
    """Files that this program wrote to be faster. A damaged one costs time only."""
    from zoo.llama import trialmemory
    from zoo.llama.convert import source

    settings = settings_room.load(folder, {}, {})
    (folder / "model_catalog.json").write_text('{"schema": "model-catalog/1", "models": []}', encoding="utf-8")
    memory = settings.work / catalogfile.MEMORY
    hashed, stamp = folder / "h.json", folder / source.STAMP
    for path in (memory, hashed, stamp):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    with contextlib.suppress(ValueError):
        catalogfile.is_sound(settings)
    hashes._read(hashed)
    source.read_stamp(folder)
    before, trialmemory.MEMORY = trialmemory.MEMORY, folder
    try:
        trialmemory.recall("h")
    finally:
        trialmemory.MEMORY = before
    return ""


def shared_report(path: Path, folder: Path) -> object:
    """A measurement that somebody shares."""
    del folder
    found = reports.read(path, "reports/ada.json")
    return words(found) if isinstance(found, list) else str(found.speed)[:200]


def tokens(path: Path, folder: Path) -> object:
    del folder
    path.chmod(0o600)
    return str(len(access.read_tokens(path)))


def cases(base: Path) -> dict[str, Case]:
    """More readers, each with a valid file."""
    from tinymodel import CHAT_TEMPLATE

    step = {"spec": {"threads": 2, "device": "cpu"}}
    sets = {"machine": "x86_64", "maker": "GenuineIntel", "instruction_sets": ["avx2"], "kernels": ["AVX2"]}
    finger = {"tensors": [{"name": "a", "type": "F16", "sha256": "0" * 64}], "keys": {"b": "1" * 64}}
    plan = {"steps": [step], "processor": sets, "format": fingerprint.FORMAT, "files": {"a.gguf": finger}}
    empty_lock = yaml.safe_dump({"zoo_lock": 1, "sources": {}}).encode()
    roles = b"# ours\nread " + b"a" * 40 + b"\nwrite " + b"b" * 40 + b"\n"
    results = [{"dataset": {"id": "a/b", "task_id": "c"}, "value": 0.5, "date": "2026-11-22"}]
    rows = b'{"user": "a", "tags": ["lang:en"]}\n{"user": "b"}\n'
    hub = base / "hub"
    repo = FolderHub(hub).repo("model", "a", "b")
    (base / "a").write_bytes(b"a")
    repo.put(base / "a", A, lambda _: None)
    head = repo.commit(None, [FileRecord("a", 1, A)], [], "first")
    repo.tag("v1", head)
    found = [
        Case("command line", "text", b"plain:Q4_0\n--json\n--device\npi-5-4gb", argument),
        Case("template", "text", CHAT_TEMPLATE.encode(), template),
        Case("template that does more", "text", MORE_TEMPLATE.encode(), template),
        Case("checked lock", "text", empty_lock, checked_by_name("x.lock.yaml")),
        Case("checked results", "text", yaml.safe_dump(results).encode(), checked_by_name(".eval_results/r.yaml")),
        Case("checked card", "text", b"---\nlicense: mit\nlanguage: [en]\n---\n# A\n", checked_by_name("README.md")),
        Case("checked prompts", "lines", rows, checked_by_name("p.jsonl")),
        Case("ref of a hub", "text", head.encode() + b"\n", folder_hub("ref", hub)),
        Case("commit of a hub", "json", (repo.folder / f"commits/{head}.json").read_bytes(), folder_hub("commit", hub)),
        Case("evidence of a rebuild", "json", json.dumps(plan, indent=2).encode(), evidence_of_a_rebuild),
        Case("cache", "json", json.dumps({"rules": "x", "stamp": [1, 2], "format": 1, "why": "x"}).encode(), caches),
        Case("tokens of a hub", "text", roles, at("t", tokens)),
        Case("shared report", "json", json.dumps(shared("Ada"), indent=1).encode(), at("ada.json", shared_report)),
    ]  # fmt: skip
    with contextlib.suppress(ImportError):
        found += _signed(base)
    with contextlib.suppress(ImportError):
        found += _of_models(base)
    return {case.name: case for case in found}


def _signed(base: Path) -> list[Case]:
    import model_signing  # noqa: F401 - what follows needs it
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from zoo.release.provenance import signing

    folder, pem = base / "signed", serialization.Encoding.PEM
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    private = ec.generate_private_key(ec.SECP256R1())
    key, public = base / "k.key", base / "k.pub"
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(private.private_bytes(pem, *secret))
    public.write_bytes(private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    signing.sign(folder, key=key)
    raw = (folder / signing.SIGNATURE).read_bytes()
    return [
        Case("signature", "json", raw, signature(public)),
        Case("public key", "text", public.read_bytes(), public_key(raw)),
    ]


def _of_models(base: Path) -> list[Case]:
    import llama_cpp  # noqa: F401 - what follows needs it
    import tinyzoo
    import torch  # noqa: F401
    from safetensors.numpy import load_file
    from tinygguf import make_tiny_gguf
    from tinymodel import make_tiny_llama

    from zoo.gguf import sentencepieces
    from zoo.modelfolder.weights import INDEX

    gguf = make_tiny_gguf(base / "more.gguf", width=32, layers=1, vocabulary=300)
    model = make_tiny_llama(base / "more", layers=1)
    zoo = tinyzoo.make_tiny_zoo(base / "zoo")
    recipe = yaml.safe_load((zoo / RECIPE).read_bytes())
    names = [chr(97 + n) for n in range(8)]
    made = sentencepieces.Pieces(["<unk>", *names], [0.0, *map(float, range(8))], [2, *[1] * 8], dummy_prefix=True)
    tensors = load_file(model / "model.safetensors")
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(tensors, "model.safetensors")}
    small = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    of_folder = [(name, (model / name).read_bytes()) for name in small]
    return [
        Case("GGUF source", "binary", gguf.read_bytes(), at("x.gguf", gguf_source)),
        Case("tokenizer.model", "binary", made.model(), at("tokenizer.model", pieces)),
        Case("index of weights", "json", json.dumps(index).encode(), in_model_folder(INDEX, model)),
        Case("template of a folder", "text", of_folder[-1][1], in_model_folder("chat_template.jinja", model)),
        Case("corpus of text", "text", (zoo / "texts/words.txt").read_bytes(), in_zoo("texts/words.txt", zoo)),
        Case("corpus of prompts", "lines", (zoo / "texts/train.jsonl").read_bytes(), in_zoo("texts/train.jsonl", zoo)),
        Case("complete recipe", "text", (zoo / RECIPE).read_bytes(), in_zoo(RECIPE, zoo)),
        Case("complete recipe as JSON", "json", json.dumps(recipe, indent=2).encode(), in_zoo(RECIPE, zoo)),
        *(
            Case(f"import {name}", "json" if name.endswith(".json") else "text", raw, imported(name, model), one_in=8)
            for name, raw in of_folder
        ),
        Case("import weights", "binary", (model / "model.safetensors").read_bytes(),
             imported("model.safetensors", model), one_in=8),
        Case("import GGUF", "binary", gguf.read_bytes(), imported("", gguf), one_in=8),
    ]  # fmt: skip
