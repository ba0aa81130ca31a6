"""A GGUF file as the teacher of logits: the same answers as its model folder, and a tokenizer that must fit."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tinyzoo
from tinymodel import make_tiny_llama
from tinyzoo import make_tiny_zoo, run, tutored_recipe, write_recipe

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from shortchats import Heard  # noqa: E402 - after the skip
from test_training_loop import HELDOUT, SPEC, TRAIN  # noqa: E402 - after the skip
from test_training_loop import run as trained  # noqa: E402 - after the skip

from zoo.errors import InputError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.gguf.header import rewrite_header  # noqa: E402 - after the skip
from zoo.gguf.tokentexts import token_texts  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer  # noqa: E402 - after the skip
from zoo.llama.convert import convert  # noqa: E402 - after the skip
from zoo.llama.convert import source as llama_source  # noqa: E402 - after the skip
from zoo.training.conversations import encode  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.models import load_tokenizer  # noqa: E402 - after the skip
from zoo.training.pairing import common_width, compare_gguf, usable_gguf  # noqa: E402 - after the skip

pytestmark = pytest.mark.skipif(llama_source.fault() is not None, reason="llama.cpp's converter is not installed")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student, its teacher as a folder, and the same teacher as a GGUF file in float32."""
    folder = tmp_path_factory.mktemp("gguf-teacher")
    make_tiny_llama(folder / "student", layers=1)
    make_tiny_llama(folder / "teacher", layers=2)
    convert.convert(folder / "teacher", folder / "teacher.gguf", "f32")
    return folder


def by_llama(home: Path, name: str, heard: Heard, teacher: Path) -> Run:
    places = home / f"{name}-out", home / f"{name}-scratch"
    return Run(home / "student", teacher, TRAIN, HELDOUT, SPEC, *places, heard, threads=1)


@pytest.mark.long
def test_a_training_by_a_gguf_file_is_that_by_its_folder(home: Path) -> None:
    heard = Heard()
    by_file = distill(by_llama(home, "file", heard, home / "teacher.gguf"))
    by_folder = trained(home, "folder", SPEC, heard)
    assert heard.warnings == [], "the tokens and the chat templates are the same"
    for one, other in zip(by_file.loss_curve, by_folder.loss_curve, strict=True):
        # llama.cpp keeps what attention reads in float16.
        assert one["loss"] == pytest.approx(other["loss"], rel=0.01)
    before = by_file.heldout_before, by_folder.heldout_before
    for mine, theirs in (before, (by_file.heldout_after, by_folder.heldout_after)):
        assert mine and theirs and mine.kld_mean_nats == pytest.approx(theirs.kld_mean_nats, rel=0.01)
        assert mine.perplexity == pytest.approx(theirs.perplexity, rel=0.02)
    together = distill(dataclasses.replace(by_llama(home, "together", heard, home / "teacher.gguf"), processes=2))
    assert [one["loss"] for one in together.loss_curve] == pytest.approx([one["loss"] for one in by_file.loss_curve])
    (index,) = (home / "file-scratch" / "teacher").glob("*.jsonl")
    assert json.loads(index.read_text().splitlines()[0])["engine"]["name"] == "llama.cpp"


def test_the_tokens_of_both_are_compared(home: Path, tmp_path: Path) -> None:
    tokenizer, file = load_tokenizer(home / "student"), tmp_path / "teacher.gguf"
    assert usable_gguf(home / "teacher.gguf", tokenizer, "logits", Heard())
    texts = token_texts(home / "teacher.gguf")
    assert texts[:3] == ["<unk>", "<|im_start|>", "<|im_end|>"]
    rewrite_header(home / "teacher.gguf", file, {"tokenizer.ggml.tokens": [*texts[:9], "other", *texts[10:]]})
    with pytest.raises(InputError, match="different vocabularies"):
        usable_gguf(file, tokenizer, "logits", Heard())
    heard = Heard()
    assert not usable_gguf(file, tokenizer, "labels", heard)
    assert "no divergence is measured" in heard.warnings[0]
    assert common_width(home / "student", home / "teacher.gguf", tokenizer) is None


@pytest.mark.parametrize(
    ("template", "warned"),
    [
        (None, "cannot render"),
        ("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}", "different chat templates"),
        ("{{ raise_exception('no') }}", "cannot render"),
    ],
)
def test_the_templates_of_both_are_compared(home: Path, template: str | None, warned: str, tmp_path: Path) -> None:
    file = tmp_path / "teacher.gguf"
    rewrite_header(home / "teacher.gguf", file, {"tokenizer.chat_template": template})
    heard, rows = Heard(), encode(load_tokenizer(home / "student"), TRAIN, 64).rows
    compare_gguf(file, TRAIN, rows, heard)
    assert len(heard.warnings) == 1 and warned in heard.warnings[0], heard.warnings


@pytest.mark.long
def test_a_recipe_with_a_gguf_teacher_is_built_without_its_weights_in_torch(tmp_path: Path) -> None:
    zoo = make_tiny_zoo(tmp_path / "zoo")
    convert.convert(zoo / "models/teacher", zoo / "models/teacher.gguf", "f16")
    recipe = tutored_recipe(zoo, "by-file")
    recipe["teacher"] |= {
        "source": "file:models/teacher.gguf", "sha256": sha256_file(zoo / "models/teacher.gguf"), "engine": "llama.cpp",
    }  # fmt: skip
    write_recipe(zoo, recipe)
    done = run(zoo, "build", "by-file")
    assert done.returncode == 0, done.stderr
    plan = json.loads(run(zoo, "plan", "by-file", "--json").stdout)
    steps = {one["id"]: one["key"] for one in plan["steps"]}
    assert "import/teacher" not in steps and {one["reason"] for one in plan["steps"]} == {"reuse"}
    report = json.loads((zoo / "build/work" / steps["distill"] / "distill-report.json").read_text())
    assert report["heldout_after"]["kld_mean_nats"] > 0
    caches = list((zoo / "build/work/teachers").glob("*/*.jsonl"))
    assert any('"llama.cpp"' in path.read_text().splitlines()[0] for path in caches)
    # Another file is another teacher.
    rewrite_header(zoo / "models/teacher.gguf", zoo / "models/teacher.gguf", {"general.name": "another"})
    recipe["teacher"]["sha256"] = sha256_file(zoo / "models/teacher.gguf")
    write_recipe(zoo, recipe)
    again = {one["id"]: one["key"] for one in json.loads(run(zoo, "plan", "by-file", "--json").stdout)["steps"]}
    assert again["distill"] != steps["distill"] and again["import/student"] == steps["import/student"]


SENDING = """
import sys, huggingface_hub
api = huggingface_hub.HfApi(token=False)
api.create_repo("tiny/teacher-gguf")
api.upload_folder(repo_id="tiny/teacher-gguf", folder_path=sys.argv[1])
"""


@pytest.mark.long
def test_a_gguf_teacher_comes_from_a_hub(tmp_path: Path) -> None:
    zoo = make_tiny_zoo(tmp_path / "zoo")
    (tmp_path / "sent").mkdir()
    convert.convert(zoo / "models/teacher", tmp_path / "sent/teacher-f16.gguf", "f16")
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        # In a process of its own: this one is offline.
        there = tinyzoo.environment(HF_ENDPOINT=server.address, HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1")
        subprocess.run([sys.executable, "-c", SENDING, tmp_path / "sent"], env=there, check=True)
        recipe = tutored_recipe(zoo, "from-hub")
        uri = "hf:tiny/teacher-gguf/teacher-f16.gguf@main"
        recipe["teacher"] = {"source": uri, "licence": "Apache-2.0", "engine": "llama.cpp"}
        write_recipe(zoo, recipe)
        for command in ("lock", "build"):
            done = run(zoo, command, "from-hub", HF_ENDPOINT=server.address, HF_HUB_OFFLINE="0")
            assert done.returncode == 0, done.stderr
    finally:
        server.shutdown()
        server.server_close()
    # The hub is not asked again.
    done = run(zoo, "build", "from-hub", "--json")
    assert done.returncode == 0, done.stderr
    steps = json.loads(run(zoo, "plan", "from-hub", "--json").stdout)["steps"]
    assert {one["reason"] for one in steps} == {"reuse"} and "import/teacher" not in {one["id"] for one in steps}
