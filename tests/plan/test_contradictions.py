"""What a recipe requires but its source lacks is reported before anything expensive, with its line."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama
from tinyzoo import OTHER_TEXT, TEXT, make_tiny_zoo

from catalog import yamltext
from catalog.checks import CheckedRecipe, check_recipe
from zoo.__main__ import main
from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import rewrite_header
from zoo.plan import foresight, known, systemprompts
from zoo.plan.contradictions import Case, problems
from zoo.sources import facts, resolve
from zoo.sources.facts import SourceFacts
from zoo.templates.limits import Limits
from zoo.templates.renderer import OverLimit, Renderer

STUDENT = SourceFacts("folder", 1024, 4, 300, "words", "{{ messages }}", None, (512, 1024))


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = make_tiny_zoo(tmp_path / "zoo")
    # Long enough for every window that a test asks for.
    for name, text in (("words", TEXT), ("other", OTHER_TEXT)):
        (folder / f"texts/{name}.txt").write_text(text * 80, encoding="utf-8")
    return folder


def changed(zoo: Path, name: str, changes: dict[str, Any]) -> CheckedRecipe:
    """A recipe of the tiny zoo with some values changed; keys are dotted."""
    path = zoo / "recipes" / f"{name}.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        part = data
        *outer, last = key.split(".")
        for step in outer:
            part = part.setdefault(step, {})
        part[last] = value
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return check_recipe(path, zoo)


def told(
    checked: CheckedRecipe, student: SourceFacts | None, teacher: SourceFacts | None = None
) -> list[tuple[str, str]]:
    assert checked.recipe, checked.problems
    document = yamltext.parse(checked.text, checked.file)
    found = problems(document, Case(checked.recipe, student, teacher))
    lines = checked.text.decode().splitlines()
    for problem in found:
        # The place is that of the key, or of the nearest value around it if the recipe uses the default.
        assert 1 <= problem.line <= len(lines) and problem.instead
    return [(problem.path, problem.what) for problem in found]


def test_a_recipe_that_its_sources_can_serve_has_none(zoo: Path) -> None:
    for name in ("plain", "tutored"):
        checked = check_recipe(zoo / "recipes" / f"{name}.yaml", zoo)
        assert foresight.problems(checked, zoo) == []
        assert told(checked, None) == []


BEYOND = [
    ({"context_tokens": 1025}, "context_tokens", "promises 1,025 tokens of context, but the model has 1,024"),
    ({"evaluate.window_tokens": 2048}, "evaluate.window_tokens", "evaluation windows have 2,048 tokens"),
    ({"evaluate.smoke_max_tokens": 1025}, "evaluate.smoke_max_tokens", "answers of the smoke test have 1,025 tokens"),
    ({"benchmark.prompt_tokens": 1021, "benchmark.decode_tokens": 4}, "benchmark", "together have 1,025 tokens"),
    ({"distill.row_tokens": 1025}, "distill.row_tokens", "rows of the training have 1,025 tokens"),
]


@pytest.mark.parametrize(("changes", "path", "what"), BEYOND, ids=[path for _, path, _ in BEYOND])
def test_more_tokens_than_the_context_are_reported(zoo: Path, changes: dict[str, Any], path: str, what: str) -> None:
    name = "tutored" if path.startswith("distill") else "plain"
    ((where, found),) = told(changed(zoo, name, changes), STUDENT)
    assert where == path and what in found
    for tokens in (max([1025, *(n for n in changes.values() if n > 1021)]), 4096, None):
        enough = dataclasses.replace(STUDENT, context_tokens=tokens)
        assert told(check_recipe(zoo / "recipes" / f"{name}.yaml", zoo), enough) == []


def test_windows_of_the_importance_matrix_and_of_a_device_are_compared_too(zoo: Path) -> None:
    calibration = [{"path": "texts/other.txt", "licence": "CC0-1.0", "source": "ours", "language": "en"}]
    fits = [{"fits": {"device": "pi-5-4gb", "context_tokens": 2048}}]
    changes = {
        "quantize.imatrix": True, "quantize.imatrix_window_tokens": 2048, "quantize.budgets": fits,
        "corpus.evaluation": [{**calibration[0], "path": "texts/words.txt"}], "corpus.calibration": calibration,
    }  # fmt: skip
    found = told(changed(zoo, "plain", changes), STUDENT)
    assert [path for path, _ in found] == [
        "quantize.imatrix_window_tokens", "quantize.budgets[0].fits.context_tokens",
    ]  # fmt: skip


def test_the_teacher_answers_within_its_own_context(zoo: Path) -> None:
    checked = changed(zoo, "tutored", {"label.max_tokens": 600})
    short = dataclasses.replace(STUDENT, context_tokens=512)
    assert told(checked, STUDENT, STUDENT) == []
    ((path, what),) = told(checked, STUDENT, short)
    assert path == "label.max_tokens" and "the teacher's model has a context of 512" in what


def test_layers_that_are_not_there(zoo: Path) -> None:
    checked = changed(zoo, "tutored", {"student.layers": [0, 2, 4, 5]})
    ((path, what),) = told(checked, STUDENT)
    assert path == "student.layers" and "the model has 4 layers, 0 to 3, but no layer 4, 5" in what
    assert told(checked, dataclasses.replace(STUDENT, layers=6)) == []
    assert told(checked, dataclasses.replace(STUDENT, layers=None)) == []


def test_vocabularies_that_differ(zoo: Path) -> None:
    checked = changed(zoo, "tutored", {"distill.method": "logits"})
    for other in (
        dataclasses.replace(STUDENT, vocabulary_size=301),
        dataclasses.replace(STUDENT, words="others"),
    ):
        ((path, what),) = told(checked, STUDENT, other)
        assert path == "distill.method" and "logits are compared" in what
        # A GGUF file and a folder count their tokens otherwise: both are imported before they are compared.
        assert told(checked, STUDENT, dataclasses.replace(other, kind="gguf")) == []
    labels = changed(zoo, "tutored", {"distill.method": "labels"})
    assert told(labels, STUDENT, dataclasses.replace(STUDENT, vocabulary_size=301)) == []


def test_a_normalizer_that_llama_cpp_lacks(zoo: Path) -> None:
    student = dataclasses.replace(STUDENT, normalizers=("Lowercase", "Strip", "Lowercase"))
    ((path, what),) = told(changed(zoo, "plain", {}), student)
    assert path == "student.source" and "(Lowercase and Strip, normalizer of tokenizer.json)" in what
    assert told(changed(zoo, "plain", {"parity.allow": ["tokenizer"]}), student) == []


def test_no_chat_template(zoo: Path) -> None:
    bare = dataclasses.replace(STUDENT, template=None)
    chat = changed(zoo, "plain", {"task": "chat"})
    assert [path for path, _ in told(chat, bare)] == ["task"]
    assert chat.recipe
    (found,) = problems(yamltext.parse(chat.text, chat.file), Case(chat.recipe, bare, None))
    assert "`task: completion`" in str(found.instead)
    assert told(changed(zoo, "plain", {"task": "completion"}), bare) == []
    checked = check_recipe(zoo / "recipes" / "tutored.yaml", zoo)
    assert [path for path, _ in told(checked, STUDENT, bare)] == ["teacher.source"]
    # A base model cannot learn conversations either, whatever its task is called.
    for task in ("chat", "completion"):
        learner = changed(zoo, "tutored", {"task": task})
        ((path, what),) = told(learner, bare, STUDENT)
        assert path == "student.source" and "learns conversations" in what


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Apache-2.0", "apache-2.0", True), ("Apache-2.0", "Apache-2.0", True), ("LicenseRef-Gemma", "gemma", True),
        ("Apache-2.0", "mit", False), ("MIT", "gemma", False), ("Apache-2.0", "other", True),
        ("LicenseRef-Own", "llama3.2", True), ("GPL-3.0-only", "gpl-3.0", True), ("Apache-2.0", "cc-by-nc-4.0", False),
    ],
)  # fmt: skip
def test_the_licence_of_the_source_itself(zoo: Path, ours: str, theirs: str, same: bool) -> None:
    checked = check_recipe(zoo / "recipes" / "plain.yaml", zoo)
    assert checked.recipe
    student = dataclasses.replace(checked.recipe.student, licence=ours)
    checked = dataclasses.replace(checked, recipe=dataclasses.replace(checked.recipe, student=student))
    found = told(checked, dataclasses.replace(STUDENT, licence=theirs))
    assert [path for path, _ in found] == ([] if same else ["student.licence"])


def test_types_whose_blocks_do_not_divide_the_rows(zoo: Path) -> None:
    odd = dataclasses.replace(STUDENT, row_lengths=(576, 1536))
    changes = {"quantize.ladder": ["Q8_0", "Q4_K_M", "IQ4_XS"], "quantize.allow_fallback": False}
    checked = changed(zoo, "plain", changes)
    found = told(checked, odd)
    assert [path for path, _ in found] == ["quantize.ladder[1]", "quantize.ladder[2]"]
    assert "Q4_K_M requires rows of a multiple of 256 weights, but the model has rows of 576" in found[0][1]
    assert told(checked, STUDENT) == []
    assert told(changed(zoo, "plain", {"quantize.allow_fallback": True}), odd) == []


# --- Reading


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_facts_of_a_folder(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "m", layers=3)
    found = facts.read(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (found.kind, found.layers, found.context_tokens, found.has_template) == ("folder", 3, 1024, True)
    assert found.vocabulary_size == config["vocab_size"]
    assert found.row_lengths == (config["hidden_size"], config["intermediate_size"])
    assert found.licence is None
    (folder / "README.md").write_text("---\nlicense: gemma\n---\nA model.\n", encoding="utf-8")
    edit(folder / "config.json", lambda data: data.update(rope_scaling={"rope_type": "yarn", "factor": 4.0}))
    again = facts.read(folder)
    # As llama.cpp and transformers take it: max_position_embeddings, whatever the scaling.
    assert (again.licence, again.context_tokens) == ("gemma", 1024)
    edit(folder / "tokenizer_config.json", lambda data: data.pop("chat_template", None))
    for name in ("chat_template.jinja", "chat_template.json"):
        (folder / name).unlink(missing_ok=True)
    assert not facts.read(folder).has_template


@pytest.mark.parametrize("text", ["", "---\nlicense: [a, b]\n---\n", "---\nlicense\n", "\udcff"])
def test_a_readme_that_says_nothing(tmp_path: Path, text: str) -> None:
    folder = make_tiny_llama(tmp_path / "m", layers=1)
    (folder / "README.md").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert facts.read(folder).licence is None


def test_facts_of_a_gguf_file(tmp_path: Path) -> None:
    found = facts.read(make_tiny_gguf(tmp_path / "m.gguf", layers=3))
    assert (found.kind, found.layers, found.context_tokens, found.has_template) == ("gguf", 3, 512, True)
    assert (found.vocabulary_size, found.row_lengths) == (1024, (256, 512))


# --- Names


@pytest.mark.parametrize(("name", "without", "refused"), [
    ("my-phi3-mini", ("<|endoftext|>",), True), ("phi-3", ("</s>", "<unk>"), True), ("phi3", (), False),
    ("longrope", ("<|endoftext|>",), False), ("phi-4", ("<|endoftext|>",), False),
])  # fmt: skip
def test_a_name_that_llama_cpp_takes_for_phi3_needs_its_tokens(
    name: str, without: tuple[str, ...], refused: bool, zoo: Path
) -> None:
    (zoo / "recipes/plain.yaml").rename(zoo / f"recipes/{name}.yaml")
    checked = changed(zoo, name, {"name": name})
    said = told(checked, dataclasses.replace(STUDENT, without=without))
    assert [place for place, _ in said] == (["name"] if refused else [])
    assert not refused or all(token in said[0][1] for token in without)


@pytest.mark.parametrize(("name", "spaced", "refused"), [
    ("my-phi3-mini", ("<|user|>", "<|end|>"), True), ("phi-3", (), False), ("longrope", ("<|user|>",), False),
])  # fmt: skip
def test_a_name_that_llama_cpp_takes_for_phi3_needs_its_markers(
    name: str, spaced: tuple[str, ...], refused: bool, zoo: Path
) -> None:
    (zoo / "recipes/plain.yaml").rename(zoo / f"recipes/{name}.yaml")
    said = told(changed(zoo, name, {"name": name}), dataclasses.replace(STUDENT, spaced=spaced))
    assert [place for place, _ in said] == (["name"] if refused else [])
    assert not refused or "removes the space after markers such as <|user|> and <|end|>" in said[0][1]


def test_markers_that_keep_the_space_after_them_are_known(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "m", layers=2) / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for one in whole["added_tokens"]:
        one["rstrip"] = one["content"] != whole["added_tokens"][0]["content"]
    path.write_text(json.dumps(whole), encoding="utf-8")
    first = whole["added_tokens"][0]["content"]
    kept = () if first in ("<unk>", "<s>", "<|endoftext|>") else (first,)
    assert facts.read(tmp_path / "m").spaced == kept


def test_tokens_that_a_source_lacks_are_known(tmp_path: Path) -> None:
    found = facts.read(make_tiny_llama(tmp_path / "m", layers=2))
    whole = json.loads((tmp_path / "m/tokenizer.json").read_text(encoding="utf-8"))
    every = {*whole["model"]["vocab"], *(one["content"] for one in whole["added_tokens"])}
    assert set(found.without) == {"</s>", "<unk>", "<s>", "<|endoftext|>"} - every


# --- System messages


NO_SYSTEM = """{% for message in messages %}{% if message.role == 'system' %}{{ raise_exception('No system role') }}
{% endif %}{{ message.content }}{% endfor %}"""
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(("line", "changes", "place"), [
    ({"user": "x", "system_hint": "Be brief."}, {}, "corpus.train[0].path: texts/train.jsonl:2 has a system message"),
    ({"user": "x", "requires_json": True, "tool_name": "t", "tool_schema": {}}, {},
     "corpus.train[0].path: texts/train.jsonl:2 has a system message"),
    ({"user": "x"}, {"label.system": "Be brief."}, "label.system: label.system has a system message"),
    ({"user": "x"}, {}, None),
])  # fmt: skip
def test_a_template_without_system_role_stops_the_build_after_the_import(
    line: dict[str, Any], changes: dict[str, Any], place: str | None, zoo: Path
) -> None:
    rows = [{"user": "plain"}, line]
    (zoo / "texts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (zoo / "texts/heldout.jsonl").write_text('{"user": "apart"}\n{"user": "alone"}\n', encoding="utf-8")
    checked, made = changed(zoo, "tutored", changes), imported(zoo, dict.copy)
    folder = made["import/student"].folder
    (folder / "chat_template.jinja").write_text(NO_SYSTEM, encoding="utf-8")
    made["import/teacher"] = made["import/student"]
    assert foresight.problems(checked, zoo) == [], "the check runs no template"
    if place is None:
        foresight.refuse_imported(checked, made, zoo)
        return
    with pytest.raises(InputError) as caught:
        foresight.refuse_imported(checked, made, zoo)
    found = [text for text in caught.value.what.splitlines()[1:] if "No system role" in text]
    assert len(found) == 2 and all(place in text for text in found), "teacher and student"


def test_a_teacher_that_labels_as_a_gguf_file_is_judged_after_the_students_import(zoo: Path) -> None:
    """It is never imported before it labels, but its header is on this machine."""
    plain = make_tiny_gguf(zoo / "plain.gguf")
    rewrite_header(plain, zoo / "teacher.gguf", {"tokenizer.chat_template": NO_SYSTEM})
    wanted = {"teacher.source": "file:teacher.gguf", "label.system": "Be brief.", "distill.method": "labels"}
    checked, made = changed(zoo, "tutored", wanted), imported(zoo, dict.copy)
    assert not checked.problems and foresight.problems(checked, zoo) == [], "the check runs no template"
    with pytest.raises(InputError, match="No system role") as caught:
        foresight.refuse_imported(checked, made, zoo)
    assert "label.system: label.system has a system message" in caught.value.what


def test_one_held_out_prompt_is_too_few_for_a_student(zoo: Path) -> None:
    (zoo / "texts/heldout.jsonl").write_text('\n{"user": "apart"}\n', encoding="utf-8")
    (problem,) = foresight.problems(changed(zoo, "tutored", {}), zoo)
    assert problem.path == "corpus.heldout" and "1 prompt is too few" in problem.what
    (zoo / "texts/heldout.jsonl").write_text('{"user": "apart"}\n{"user": "alone"}', encoding="utf-8")
    assert foresight.problems(changed(zoo, "tutored", {}), zoo) == []


@pytest.mark.parametrize("template", [
    "{{ messages[0].role == 'system' or raise_exception('A system message first') }}", NO_SYSTEM,
    "{{ messages[1].content + '.' }}",
])  # fmt: skip
def test_a_template_that_renders_one_ordinary_conversation_is_usable(template: str) -> None:
    usable = dataclasses.replace(STUDENT, template=template)
    systemprompts.refuse_unusable({"student": usable, "teacher": None}, "")


def test_a_broken_template_that_only_the_import_shows_is_refused(zoo: Path) -> None:
    made = imported(zoo, dict.copy)
    (made["import/student"].folder / "chat_template.jinja").write_text("{{ messages }", encoding="utf-8")
    with pytest.raises(ModelFileError, match="line 1 of the template") as caught:
        foresight.refuse_imported(changed(zoo, "plain", {}), made, zoo)
    assert "models are kept" in caught.value.safe


def test_a_template_without_end_is_refused_once(zoo: Path) -> None:
    made = imported(zoo, dict.copy)
    (made["import/student"].folder / "chat_template.jinja").write_text(ENDLESS, encoding="utf-8")
    with pytest.raises(OverLimit, match="more than 5 seconds") as caught:
        foresight.refuse_imported(changed(zoo, "tutored", {"label.system": "Be brief."}), made, zoo)
    assert "models are kept" in caught.value.safe


@pytest.mark.parametrize(("recipe", "template"), [
    ("plain", ENDLESS), ("tutored", ENDLESS),
    ("plain", "{% for i in range(10**9) %}{% endfor %}x"),
    ("plain", "{% for m in messages %}{{ m['content'] }"), ("plain", "{% for m in messages %}{{ m.content }}"),
    ("tutored", "{{ messages | nosuch }}"), ("plain", "{{ messages[0].content + 1 }}"),
    ("plain", "{{ raise_exception('never') }}"), ("plain", "{{ messages.a.b }}"),
])  # fmt: skip
def test_a_template_that_cannot_be_used_is_refused_before_the_first_step(
    recipe: str, template: str, zoo: Path, capsys: Any, monkeypatch: Any
) -> None:
    # test_a_template_without_end_is_refused_once waits for the usual limit.
    short = functools.partial(Renderer, limits=Limits(cpu_seconds=0.5))
    for module in (known, systemprompts):
        monkeypatch.setattr(module, "Renderer", short)
    checked = changed(zoo, recipe, {})
    assert checked.recipe
    source = zoo / checked.recipe.student.source.removeprefix("file:")
    (source / "chat_template.jinja").write_text(template, encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(["check", f"recipes/{recipe}.yaml"]) == 2
    out = capsys.readouterr().out
    assert f"recipes/{recipe}.yaml:" in out and "the chat template of the student" in out
    assert main(["build", recipe]) == 1
    err = capsys.readouterr().err
    assert "the chat template of the student" in err and "Nothing was made" in err
    assert not (zoo / "work" / "artifacts").exists() and not list(zoo.rglob("artifact.json"))


def test_system_messages_do_not_matter_without_training(zoo: Path) -> None:
    made = imported(zoo, dict.copy)
    (made["import/student"].folder / "chat_template.jinja").write_text(NO_SYSTEM, encoding="utf-8")
    foresight.refuse_imported(check_recipe(zoo / "recipes" / "plain.yaml", zoo), made, zoo)


# --- When it is reported


def test_check_plan_and_build_tell_it_with_the_line(zoo: Path, capsys: Any, monkeypatch: Any) -> None:
    checked = changed(zoo, "plain", {"evaluate.window_tokens": 2048})
    line = next(n for n, text in enumerate(checked.text.decode().splitlines(), 1) if "2048" in text)
    (problem,) = foresight.problems(checked, zoo)
    assert (problem.file, problem.line) == ("recipes/plain.yaml", line)
    monkeypatch.chdir(zoo)
    for command in (["check"], ["plan", "plain"], ["build", "plain"]):
        assert main(command) == 2
        out = capsys.readouterr()
        assert f"recipes/plain.yaml:{line}:" in out.out + out.err and not (zoo / "work").exists()


def test_a_source_that_cannot_be_used_is_reported_with_its_reason(zoo: Path) -> None:
    checked = check_recipe(zoo / "recipes" / "plain.yaml", zoo)
    config = zoo / "models" / "teacher" / "config.json"
    config.write_text("{", encoding="utf-8")
    (problem,) = foresight.problems(checked, zoo)
    assert problem.path == "student.source" and "config.json" in problem.what


def imported(zoo: Path, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """What the step import/student makes, as far as it is looked at."""
    folder = make_tiny_llama(zoo / "imported", layers=2)
    edit(folder / "config.json", change)
    return {"import/student": type("Made", (), {"folder": folder})()}


def test_what_is_known_only_after_the_import_stops_the_build(zoo: Path) -> None:
    checked = check_recipe(zoo / "recipes" / "plain.yaml", zoo)
    foresight.refuse_imported(checked, imported(zoo, dict.copy), zoo)
    made = imported(zoo, lambda data: data.update(max_position_embeddings=20))
    with pytest.raises(InputError, match=r"recipes/plain.yaml:\d+:\d+: evaluate.window_tokens"):
        foresight.refuse_imported(checked, made, zoo)


def test_check_says_that_code_of_the_model_is_not_run(zoo: Path, capsys: Any, monkeypatch: Any) -> None:
    own = {"AutoModelForCausalLM": "modeling_own.LlamaForCausalLM"}
    edit(zoo / "models/teacher/config.json", lambda data: data.update(auto_map=own))
    pin = resolve.content_sha256(zoo / "models/teacher")
    changed(zoo, "plain", {"student.sha256": pin})
    monkeypatch.chdir(zoo)
    assert main(["check", "recipes/plain.yaml"]) == 0
    said = capsys.readouterr()
    hint = "student.source: config.json names code of the model's own (auto_map: modeling_own.py), which zoo never runs"
    assert hint in said.out + said.err
