"""Slow tiers of the tests run again when what they test has changed: which have, and running those.

``tests/tiers.json`` keeps, for each tier, a digest of its inputs at the last run that passed. Comments, docstrings and
annotations of Python are not in the digest, because they do not change behaviour.

    python scripts/tiers.py            shows each tier, and exits with 1 if one has to run
    python scripts/tiers.py run        runs those that CI runs (make tiers)
    python scripts/tiers.py passed T   records that tier T passed as the files are now (the targets of make do it)
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = "tests/tiers.json"


@dataclass(frozen=True)
class Tier:
    """A target of make. inputs: files and folders of the repository; minutes: on two cores; ci: whether CI runs it.

    tools: commands that a machine may lack. CI then leaves the tier out and says so, and does not record it as passed.
    """

    target: str
    inputs: tuple[str, ...]
    minutes: int
    ci: bool = True
    tools: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """The commands that this machine lacks."""
        return [tool for tool in self.tools if shutil.which(tool) is None]


PACKAGES = ("constraints.txt", "pyproject.toml")
RECIPES = (
    "recipes/corpora/starter", "recipes/corpora/texts", "recipes/corpora/tutor", "recipes/gemma-3-270m.yaml",
    "recipes/licences/gemma-3-270m", "recipes/qwen2.5-0.5b-tutor.yaml", "recipes/smollm2-135m-instruct.yaml",
    "recipes/smollm2-tutor-57m.yaml",
)  # fmt: skip
"""The starters, which tests use. A recipe or a corpus that somebody contributes sends no tier again."""
LONG = (
    ".github/workflows", "scripts/demo.sh", "scripts/githubrelease.py", "tests/catalog/test_million.py",
    "tests/corpora/test_mutants.py", "tests/forms/test_command_forms.py",
    "tests/forms/test_recipe_forms.py", "tests/recipesamples.py", "tests/gguf/test_llama_caches.py",
    "tests/hub/test_hub_client_1.py", "tests/hub/test_hub_contract.py",
    "tests/llama/test_cutting.py", "tests/llama/test_llama_parity.py", "tests/llama/test_tokenizer_trial.py",
    "tests/plan/test_damaged_steps.py",
    "tests/plan/test_full_scale.py", "tests/publish/test_publish_faults.py",
    "tests/publish/test_publish_killed_command.py", "tests/publish/test_publish_random.py",
    "tests/publish/test_year.py", "tests/publish/zygote.py", "tests/review/test_review.py",
    "tests/runs/test_journals.py", "tests/stages/test_ask.py",
    "tests/teachers/test_llama_server.py",
    "tests/training/test_gguf_again.py", "tests/tui/driving.py", "tests/tui/terminal.py", "tests/tui/test_terminal.py",
    "tests/tui/multiplexer.py", "tests/tui/test_screens.py", "tests/tui/walk.py", "tests/livingrun.py",
    "tests/views/test_views.py",
    "tests/llama/test_measuring_early.py", "tests/training/test_together.py", "tests/training/test_machines.py",
    "tests/training/test_training_import.py",
    "tests/training/test_gguf_teacher.py", "tests/training/test_served_teacher.py", "tests/logitserver.py",
    "tests/jsonserver.py",
    "tests/whole/test_logits_release.py", "tests/training/test_vllm_teacher.py", "tests/standinvllm.py",
    "tests/training/test_resaved_tokenizers.py", "tests/upkeep/test_reproduce.py",
    "tests/training/test_presets.py",
    "tests/training/test_sharding.py", "tests/whole/test_gpu_rows.py",
    "tests/jobs/manyplans.py", "tests/jobs/test_pool.py", "tests/jobs/test_raycluster.py", "tests/jobs/test_tasks.py",
    "tests/stepsbegun.py",
    "tests/whole/builtwheel.py", "tests/whole/test_crash.py", "tests/whole/test_crash_search.py",
    "tests/whole/test_demo.py", "tests/whole/test_families.py", "tests/whole/test_little_memory.py",
    "tests/whole/test_odd_folders.py", "tests/whole/test_pipeline.py", "tests/whole/test_real_recipe.py",
    "tests/whole/test_served_release.py",
    "tests/whole/test_two_processes.py",
    "tests/whole/test_teacher_ways.py", "benchmarks/teacher_tune.py", "benchmarks/teacher_tune_worker.py",
    "tests/whole/test_teacher_corpus.py", "benchmarks/teacher_corpus.py", "tests/tunesamples.py",
    "tests/training/togetherruns.py",
    "tests/whole/test_tuned_teacher.py", "tests/whole/test_vocabularies.py", "tests/whole/test_wheel.py",
    "tests/whole/test_github_release.py", "tests/whole/test_release_workflow.py", "tests/whole/test_workflows.py",
    "tests/githubapi.py", "tests/githubreleases.py", "tests/workflowfiles.py", "tests/families", "tests/faultserver.py",
    "tests/hubserving.py", "tests/llamaquant.py", "tests/llamaserver.py", "tests/llamasource.py",
    "tests/publishsamples.py", "tests/tinygguf.py", "tests/tinyarch.py", "tests/tinymodel.py", "tests/tinyzoo.py",
    "tests/viewsamples.py", "tests/benchruns.py", "tests/writingrun.py",
)  # fmt: skip
"""Every file with a test that is marked as long, and what these tests use."""
PAGES = (
    "catalog", "mkdocs.yml", "site/assets", "site/docs", "site/hooks.py", "site/templates", "site/theme",
    "tests/browser", "tests/choosersamples.py", "tests/evidencesamples.py", "tests/sitesamples.py",
    "zoo/__init__.py", "zoo/addresses.py", "zoo/catalogfile.py", "zoo/choose", "zoo/cli", "zoo/commandline.py",
    "zoo/corpora", "zoo/errors.py", "zoo/extras.py", "zoo/files", "zoo/history", "zoo/hub", "zoo/judge", "zoo/machine",
    "zoo/meters.py", "zoo/output.py", "zoo/progress.py", "zoo/runs", "zoo/settings.py", "zoo/site", "zoo/stopping.py",
)  # fmt: skip
"""What the pages are made from, and every module that is imported to make, serve and test them."""
LAUNCHER = tuple(f"pi_runtime/{name}.py" for name in ("launch", "notify", "service", "verified"))
CROSS = ("aarch64-linux-gnu-g++", "cmake", "ninja", "qemu-aarch64-static")
"""Of Debian: the cross-compiler, and the emulator of a processor."""
TIERS = (
    Tier("installs", (*PACKAGES, "Makefile", "zoo/extras.py", "zoo/cli", "tests/whole/test_installs.py",
                      "recipes/corpora/starter", "tests/corpora/readers.py", "tests/corpora/test_readers.py",
                      "zoo/corpora/croissant.py"), 4),
    Tier("fuzz", ("catalog", "zoo/files", "zoo/gguf", "zoo/corpora", "zoo/hub", "tests/whole/fuzzing.py",
                  "tests/whole/fuzzreaders.py", "tests/whole/fuzzmore.py", "tests/whole/test_fuzz.py",
                  "zoo/modelfolder", "zoo/templates"), 15),
    Tier("long", (*PACKAGES, "zoo", "catalog", "pi_runtime", *RECIPES, *LONG), 8),
    Tier("pages", (*PACKAGES, *PAGES), 10),
    Tier("families", (*PACKAGES, "zoo/gguf", "zoo/llama/convert", "zoo/modelfolder", "zoo/templates", "zoo/training",
                      "zoo/stages/importing.py", "zoo/stages/export.py", "zoo/stages/parity.py", "tests/families",
                      "tests/whole/test_families.py", "tests/whole/test_real_gemma.py",
                      "tests/whole/test_vocabularies.py"), 40, ci=False),
    Tier("matrix", (*PACKAGES, *RECIPES, "zoo/judge", "zoo/llama", "zoo/training", "zoo/stages",
                    "benchmarks/machines.py", "benchmarks/matrix.py"), 150, ci=False),
    Tier("pi", ("scripts/pi/compile.py", *LAUNCHER, "tests/pi/piservers.py", "tests/pi/test_pi_programs.py",
                "tests/pi/test_pi_emulated.py", "tests/golden/pi-completion.json"), 9, tools=CROSS),
    Tier("pi-boot", ("scripts/pi", "pi_runtime", "catalog/devices", "catalog/data/token-costs.json",
                     "tests/pi/boardsite.py", "tests/pi/chroots.py", "tests/pi/bootcheck.sh", "tests/pi/piservers.py",
                     "tests/pi/test_pi_boot.py", "tests/pi/test_pi_guide.py", "site/docs/guide/set-up-a-pi.md",
                     "site/docs/how-to/run-as-a-service.md", "site/docs/how-to/share-a-measurement.md"), 50, ci=False,
         tools=(*CROSS, "mmdebstrap", "systemd-nspawn")),
    Tier("coreml", (*PACKAGES, "zoo/coreml", "zoo/training/models.py", "tests/tinymodel.py", "tests/coreml"), 1,
         ci=False),
    Tier("pi-twice", ("scripts/pi", "tests/pi/test_pi_twice.py"), 25, ci=False, tools=CROSS[:3]),
)  # fmt: skip
"""families, matrix, pi-boot and pi-twice take long, and coreml installs a package that nothing else needs: they run
before a change of their inputs is merged, not in CI."""


def inputs_sha256(tier: Tier, root: Path = ROOT) -> str:
    """Digest of the tier's inputs: their paths, and what of them can change behaviour.

    Raises FileNotFoundError for a missing input: a moved folder must not leave its tier untested.
    """
    found = hashlib.sha256()
    for name in tier.inputs:
        path = root / name
        if not path.exists():
            raise FileNotFoundError(f"{name}, an input of the tier {tier.target}, was not found: fix TIERS")
        files = [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if _counts(p)]
        for file in files:
            found.update(file.relative_to(root).as_posix().encode() + b"\0" + _behaviour(file) + b"\0")
    return found.hexdigest()


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _behaviour(path: Path) -> bytes:
    raw = path.read_bytes()
    return _bare(raw) if path.suffix == ".py" else raw


@functools.cache
def _bare(raw: bytes) -> bytes:
    """Kept for each content: many files are inputs of several tiers."""
    return ast.unparse(_Bare().visit(ast.parse(raw))).encode()


class _Bare(ast.NodeTransformer):
    """Removes docstrings, and the annotations of functions and their arguments."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def stale(root: Path = ROOT) -> list[Tier]:
    """The tiers whose inputs have changed since they last passed."""
    known = _record(root)
    return [
        tier for tier in TIERS if known.get(tier.target, {}).get("inputs_sha256") != inputs_sha256(tier, root)
    ]


def passed(target: str, root: Path = ROOT) -> None:
    """Record that ``target`` passed. Raises StopIteration for a target that is not a tier."""
    tier = next(tier for tier in TIERS if tier.target == target)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    kept = _record(root) | {target: {"inputs_sha256": inputs_sha256(tier, root), "passed_on": day}}
    (root / RECORD).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _record(root: Path) -> dict[str, dict[str, str]]:
    path = root / RECORD
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 if nothing is left to run or everything passed."""
    if arguments[:1] == ["passed"]:
        passed(arguments[1])
        return 0
    waiting = stale()
    for tier in TIERS:
        state = "changed since it passed" if tier in waiting else "passed as it is"
        print(f"make {tier.target:10} {state}" + ("" if tier.ci else " (not in CI)"), flush=True)
    if arguments[:1] != ["run"]:
        return bool(waiting)
    for tier in waiting:
        if tier.ci and tier.missing():
            print(f"make {tier.target} is skipped: {', '.join(tier.missing())} could not be installed here")
    runs = [tier.target for tier in waiting if tier.ci and not tier.missing()]
    failed = [target for target in runs if subprocess.run(["make", target], cwd=ROOT, check=False).returncode]
    if failed:
        print("Failed: " + ", ".join(f"make {target}" for target in failed))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
