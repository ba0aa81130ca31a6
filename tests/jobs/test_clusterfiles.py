"""Files for Slurm and Kubernetes: valid, complete, in order, and their commands are what was meant."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import manyplans
import pytest

from zoo.__main__ import main
from zoo.jobs import kubernetesnames
from zoo.jobs.arrays import MOST_TASKS, arrays
from zoo.jobs.tasks import Task

NAMES = ("aa", "bb")
TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 1}
SIZES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^\d+(Mi)?$"}}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": required | optional, "required": list(required), "additionalProperties": False,
    }  # fmt: skip


NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
CLAIM = closed({"claimName": NAME})
CONTAINER = closed(
    {
        "name": NAME, "image": TEXT, "command": {"type": "array", "items": TEXT},
        "args": {"type": "array", "items": TEXT, "minItems": 1}, "workingDir": TEXT, "envFrom": {"type": "array"},
        "resources": closed({"requests": SIZES, "limits": SIZES}), "securityContext": {"type": "object"},
        "volumeMounts": {"type": "array", "items": closed({"name": NAME, "mountPath": TEXT})},
    }
)  # fmt: skip
POD = closed(
    {
        "restartPolicy": {"const": "Never"}, "automountServiceAccountToken": {"const": False},
        "containers": {"type": "array", "items": CONTAINER, "minItems": 1, "maxItems": 1},
        "volumes": {"type": "array", "items": closed({"name": NAME, "persistentVolumeClaim": CLAIM})},
    },
    affinity=closed({"podAntiAffinity": {"type": "object"}}),
)  # fmt: skip
JOB = closed(
    {
        "apiVersion": {"const": "batch/v1"}, "kind": {"const": "Job"},
        "metadata": closed({"name": NAME}, labels={"type": "object"}, annotations={"type": "object"}),
        "spec": closed(
            {
                "completionMode": {"const": "Indexed"}, "completions": COUNT, "parallelism": COUNT,
                "backoffLimitPerIndex": COUNT, "template": closed({"metadata": {"type": "object"}, "spec": POD}),
            }
        ),
    }
)  # fmt: skip
"""The part of the format of a Job (batch/v1) that is written. Whole files were also checked once with the schemas of
Kubernetes 1.37 (kubernetes-validate --strict)."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manyplans.zoo_of(tmp_path_factory.mktemp("cluster") / "a zoo", NAMES)


@pytest.fixture
def zoo(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(pristine)
    monkeypatch.setenv("ZOO_THREADS", "3")
    shutil.rmtree(pristine / "build", ignore_errors=True)
    return pristine


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main(["plan", *arguments, "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def commands(folder: Path) -> list[str]:
    """What every task of the written files runs, by really running it with a program in the place of zoo."""
    programs = folder / "logs"
    programs.mkdir(exist_ok=True)
    shown = '"$PWD" "$ZOO_PROCESSES$ZOO_SHARDING" "$@"'
    (programs / "zoo").write_text(f'#!/bin/sh\nprintf "%s\\n" {shown} | paste -sd "|"\n')
    (programs / "zoo").chmod(0o755)
    path = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ZOO_PROCESSES": "", "ZOO_SHARDING": ""}
    said = []
    for script in sorted(folder.glob("*.sbatch")):
        last = int(re.findall(r"--array=0-(\d+)", script.read_text())[0])
        for number in range(last + 1):
            environment = {**path, "SLURM_ARRAY_TASK_ID": str(number)}
            said.append(subprocess.check_output(["bash", script], env=environment, text=True).strip())
    for file in sorted(folder.glob("*.json")):
        job = json.loads(file.read_text())
        container = job["spec"]["template"]["spec"]["containers"][0]
        for number in range(job["spec"]["completions"]):
            environment = {**path, "JOB_COMPLETION_INDEX": str(number)}
            words = [*container["command"], *container["args"]]
            said.append(
                subprocess.check_output(words, env=environment, text=True, cwd=container["workingDir"]).strip()
            )
    return said


@pytest.mark.parametrize("engine", ["slurm", "kubernetes"])
def test_every_step_is_written_once_and_the_scripts_are_valid(
    zoo: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--image", "registry.example/zoo:1") if engine == "kubernetes" else ()
    code, answer, err = plan(capsys, "--all", "--as-jobs", engine, "--jobs", "7", *more)
    assert code == 0, err
    folder = zoo / "build/jobs"
    wanted: dict[str, str] = {}
    for planned in manyplans.plans_of(zoo, ZOO_THREADS="3").values():
        for id_ in planned.to_run:
            wanted.setdefault(planned.plan.step(id_).key, id_)
    assert "zoo release --all" in (folder / "submit.sh").read_text(encoding="utf-8")
    assert answer["steps"] == len(wanted) == sum(one["tasks"] for one in answer["arrays"])
    ran = commands(folder)
    assert sorted(line.split("|")[4] for line in ran) == sorted(wanted.values())
    assert {tuple(line.split("|")[:4]) for line in ran} == {(str(zoo), "", "build", "--step")}
    assert {tuple(line.split("|")[5:8]) for line in ran} == {("--threads", "3", "--")}
    scripts = [folder / "submit.sh", *folder.glob("*.sbatch")]
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
    checker = Path(sys.executable).with_name("shellcheck")
    checked = subprocess.run([checker, *scripts], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("engine", ["slurm", "kubernetes"])
def test_named_recipes_are_released_by_name(zoo: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--image", "r.example/zoo:1"] if engine == "kubernetes" else []
    assert main(["plan", "aa", "bb", "--as-jobs", engine, *more]) == 0
    assert capsys.readouterr().out.rstrip().endswith("run: zoo release aa bb")
    submit = (zoo / "build/jobs/submit.sh").read_text(encoding="utf-8")
    assert "zoo release aa bb" in submit and "--all" not in submit


@pytest.mark.parametrize("engine", ["slurm", "kubernetes"])
def test_the_release_takes_the_steps_that_were_made(
    zoo: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the flags of the plan, it would train again: threads and device are in the keys of steps."""
    more = ["--image", "r.example/zoo:1"] if engine == "kubernetes" else []
    assert main(["plan", "aa", "--as-jobs", engine, "--threads", "8", "--device", "cuda", *more]) == 0
    release = "zoo release aa --threads 8 --device cuda"
    assert capsys.readouterr().out.rstrip().endswith(f"run: {release}")
    assert release in (zoo / "build/jobs/submit.sh").read_text(encoding="utf-8")


def test_the_files_name_the_command_that_writes_them_again(zoo: Path) -> None:
    words = ["aa", "--as-jobs", "kubernetes", "--out", "new jobs", "--jobs", "3", "--image", "r.example/zoo:1"]
    assert main(["plan", *words, "--claim", "mine", "--threads", "8"]) == 0
    first = {path.name: path.read_text(encoding="utf-8") for path in (zoo / "new jobs").iterdir()}
    again = next(line for line in first["submit.sh"].splitlines() if "Written by" in line).partition("Written by: ")[2]
    assert again == (
        "zoo plan aa --as-jobs kubernetes --out 'new jobs' --jobs 3 --image r.example/zoo:1 --claim mine --threads 8"
    )
    assert main(shlex.split(again)[1:]) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in (zoo / "new jobs").iterdir()} == first
    assert main(["plan", "--all", "--as-jobs", "slurm"]) == 0
    submit = (zoo / "build/jobs/submit.sh").read_text(encoding="utf-8")
    assert "# Written by: zoo plan --all --as-jobs slurm --out build/jobs\n" in submit


def test_a_recipe_that_cannot_be_planned_stops_no_other(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = zoo / "recipes/wrong.yaml"
    wrong.write_text("zoo: 1\nname: wrong\n", encoding="utf-8")
    try:
        code, answer, err = plan(capsys, "--all", "--as-jobs", "slurm")
        assert code == 0 and answer["steps"] > 0 and "wrong is left out:" in err
        # A person who names it wants it.
        assert plan(capsys, "aa", "wrong", "--as-jobs", "slurm")[0] == 2
    finally:
        wrong.unlink()


def test_tasks_train_together_as_here(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_PROCESSES", "2")
    monkeypatch.setenv("ZOO_SHARDING", "full")
    assert plan(capsys, "aa", "--as-jobs", "slurm")[0] == 0
    assert {line.split("|")[1] for line in commands(zoo / "build/jobs")} == {"2full"}


def test_steps_of_many_recipes_have_a_machine_each(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PROCESSES": "2", "MACHINES": "2", "MEETING": "localhost:29400"}.items():
        monkeypatch.setenv(f"ZOO_{name}", value)
    for command in (("plan", "aa", "--as-jobs", "slurm"), ("build", "aa", "--jobs", "2"), ("build", "aa", "--on", "ray://")):
        code = main(list(command))
        said = capsys.readouterr().err
        assert code == 2 and "the setting machines is 2, but steps that are spread train on one machine each" in said
        assert "environment ZOO_MACHINES" in said
    assert not (zoo / "build/jobs").exists()


def test_slurm_scripts_ask_for_what_the_plan_counts(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, answer, _ = plan(capsys, "bb", "--as-jobs", "slurm", "--device", "cuda")
    folder, seen = zoo / "build/jobs", set[str]()
    for array in answer["arrays"]:
        text = (folder / f"{array['name']}.sbatch").read_text()
        options = dict(re.findall(r"^#SBATCH (--[\w-]+)=?(\S*)$", text, re.M))
        assert int(options["--mem"].removesuffix("M")) << 20 >= array["memory_bytes"]
        assert options["--cpus-per-task"] == "3" and "--requeue" in options
        assert ("--exclusive" in options) == array["name"].endswith("-benchmark")
        assert options.get("--gres") == ("gpu:1" if array["gpus"] else None)
        assert {*array["needs"]} <= seen, "what comes first is submitted first"
        seen.add(array["name"])
    assert [one["name"][3:] for one in answer["arrays"] if one["gpus"]][-1] == "distill"
    # A stand-in for sbatch shows what is submitted: identity 100 and more, as "--parsable" prints it.
    sbatch = folder / "logs" / "sbatch"
    sbatch.parent.mkdir(exist_ok=True)
    sbatch.write_text('#!/bin/bash\necho "$@" >> calls\necho "$((99 + $(wc -l < calls)));here"\n')
    sbatch.chmod(0o755)
    environment = {**os.environ, "PATH": f"{sbatch.parent}:{os.environ['PATH']}"}
    said = subprocess.check_output(["bash", folder / "submit.sh", "--time=60"], env=environment, text=True)
    calls = (folder / "calls").read_text().splitlines()
    (folder / "calls").unlink()
    identity = {one["name"]: str(100 + number) for number, one in enumerate(answer["arrays"])}
    for array, call in zip(answer["arrays"], calls, strict=True):
        after = [f"--dependency=afterany:{':'.join(identity[name] for name in array['needs'])}"] * bool(array["needs"])
        assert call.split() == ["--parsable", "--time=60", *after, f"{array['name']}.sbatch"]
    every = [str(100 + number) for number in range(len(calls))]
    assert said.endswith(f"To cancel what was submitted: scancel {' '.join(every)}\n") and len(every) > 3
    assert said.count("scancel") == 1
    # The third one is refused: what is in the queue by then can be cancelled.
    sbatch.write_text('#!/bin/bash\necho >> calls\ncount=$(wc -l < calls)\n((count < 3)) && echo $((99 + count))\n')
    done = subprocess.run(["bash", folder / "submit.sh"], env=environment, capture_output=True, text=True, check=False)
    (folder / "calls").unlink()
    assert done.returncode and done.stdout.splitlines()[-1] == "To cancel what was submitted: scancel 100 101"


def test_jobs_of_kubernetes_have_the_form_of_a_job(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, err = plan(capsys, "--all", "--as-jobs", "kubernetes", "--image", "r.example/zoo:1", "--jobs", "2")
    assert code == 0, err
    files = sorted((zoo / "build/jobs").glob("*.json"))
    assert [file.stem for file in files] == [one["name"] for one in answer["arrays"]]
    for file, array in zip(files, answer["arrays"], strict=True):
        job = json.loads(file.read_text())
        jsonschema.validate(job, JOB)
        pod = job["spec"]["template"]["spec"]
        assert job["spec"]["completions"] == len(pod["containers"][0]["args"]) == array["tasks"]
        assert job["spec"]["parallelism"] == min(2, array["tasks"])
        assert ("affinity" in pod) == array["name"].endswith("-benchmark")
    script = (zoo / "build/jobs/submit.sh").read_text()
    order = [line.split()[1].removeprefix("zoo-") for line in script.splitlines() if line.startswith("start ")]
    assert order == [one["name"] for one in answer["arrays"]]
    lines = script.splitlines()
    for array in answer["arrays"]:
        start = lines.index(f"start zoo-{array['name']} {array['name']}.json")
        ended = {word for line in lines[:start] if line.startswith("finish ") for word in line.split()[1:]}
        assert {f"zoo-{need}" for need in array["needs"]} <= ended


SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("zoo", True), ("zoo:1", True), ("registry.example/zoo:1", True), ("localhost:5000/a/b_c-d.e:v1.2", True),
        (f"r.example/zoo@{SHA}", True), (f"r.example/zoo:1@{SHA}", True), ("[fd00::1]:5000/zoo", True),
        ("Registry.Example/zoo", True), ("a__b/c--d", True),
        ("", False), ("Zoo", False), ("zoo image", False), (" zoo", False), ("zoo\n", False),
        ("https://r.example/zoo", False), ("zo\u00f6", False), ("a___b", False),
        ("zoo:", False), ("zoo:a b", False), ("zoo@sha256:12", False), ("-zoo", False), ("r.example/zoo/", False),
        ("r.example//zoo", False), ("zoo:" + "1" * 129, False), ("a" * 256, False),
    ],
)  # fmt: skip
def test_an_image_is_what_the_grammar_of_registries_has(name: str, valid: bool) -> None:
    assert (not kubernetesnames.image_fault(name)) == valid


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("zoo", True), ("zoo-data.v2", True), ("0", True), ("a" * 253, True),
        ("", False), ("Zoo", False), ("zoo_data", False), ("-zoo", False), ("zoo-", False), ("zoo..data", False),
        ("a" * 254, False), ("zoo\n", False), ("a/b", False),
    ],
)  # fmt: skip
def test_a_claim_has_a_name_of_kubernetes(name: str, valid: bool) -> None:
    assert (not kubernetesnames.claim_fault(name)) == valid


def test_what_a_cluster_could_not_use_is_refused(
    zoo: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cases = {
        "no container image": ("aa", "--as-jobs", "kubernetes"),
        "flag --image": ("aa", "--as-jobs", "kubernetes", "--image", "Zoo image"),
        "flag --claim": ("aa", "--as-jobs", "kubernetes", "--image", "x", "--claim", "Zoo_data"),
        "outside of the zoo's folder": ("aa", "--as-jobs", "kubernetes", "--image", "x", "--work", str(tmp_path / "w")),
        "has other files": ("aa", "--as-jobs", "slurm", "--out", "recipes"),
        "is not a folder": ("aa", "--as-jobs", "slurm", "--out", "zoo.toml"),
        "--image is for --as-jobs kubernetes only": ("aa", "--as-jobs", "slurm", "--image", "x"),
        "--claim is for --as-jobs kubernetes only": ("aa", "--as-jobs", "slurm", "--claim", "x"),
        "use --all alone": ("aa", "--all"),
        "--jobs needs --as-jobs": ("aa", "--jobs", "2"),
        "--out needs --as-jobs": ("aa", "bb", "--out", "build/jobs"),
        "no recipe was named": (),
    }
    for words, arguments in cases.items():
        code, _, err = plan(capsys, *arguments)
        assert (code, words in err) == (2, True), err
    assert not (zoo / "build/jobs").exists()


def test_several_plans_are_one_table_and_their_problems_come_together(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, answer, _ = plan(capsys, "--all")
    assert [one["recipe"] for one in answer["recipes"]] == list(NAMES)
    assert answer["different_steps"] < sum(len(one["to_run"]) for one in answer["recipes"])
    broken = {name: (zoo / f"recipes/{name}.yaml").read_text() for name in NAMES}
    try:
        for name, text in broken.items():
            (zoo / f"recipes/{name}.yaml").write_text(text.replace("zoo: 1", "zoo: 9"))
        code, _, err = plan(capsys, "--all", "--as-jobs", "slurm")
        assert code == 2 and "no recipe can be planned" in err and "aa.yaml:1:" in err and "bb.yaml:1:" in err
    finally:
        for name, text in broken.items():
            (zoo / f"recipes/{name}.yaml").write_text(text)


def test_a_large_level_is_cut_into_arrays_that_slurm_allows() -> None:
    first = Task("k", "a", "import", "import", (), 5, 0, ("a",))
    many = [Task(f"k{n}", "a", f"s{n}", "export", ("k",), n or None, 0, ("a",)) for n in range(MOST_TASKS + 5)]
    made = arrays([first, *many], lambda task: task.step)
    assert [(one.name, len(one.commands), one.needs) for one in made] == [
        ("01-import", 1, ()), ("02-export", MOST_TASKS, ("01-import",)), ("03-export", 5, ("01-import",)),
    ]  # fmt: skip
    # One of unknown size makes the need of its array unknown.
    assert [one.memory_bytes for one in made] == [5, None, MOST_TASKS + 4]
