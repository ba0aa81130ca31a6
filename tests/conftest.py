"""The base of every test: the network shut except for this machine, no settings from outside, small zoos."""

from __future__ import annotations

import gc
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from catalog.checks import CheckedRecipe, check_recipe
from zoo import settings as settings_room
from zoo.settings import Settings

REPOSITORY = Path(__file__).parent.parent
KEPT = frozenset(("ZOO_CONVERTER", "ZOO_UPDATE_GOLDEN"))
"""Variables for the place of a tool or for how the tests run; they are not settings."""

# At import, so that modules which read the environment only once see it too, and so do processes of the tests.
for variable in [name for name in os.environ if name.startswith("ZOO_") and name not in KEPT]:
    del os.environ[variable]
os.environ["HF_HUB_OFFLINE"] = "1"
# Every core has a process of the tests already. Threads of torch spin while they wait for one that has no core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Some containers set it. Then each of a thousand processes compiles the program again, a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


# A shell that runs the tests in the background ignores Ctrl-C, nohup ignores the end of the terminal, and every process
# that a test interrupts would inherit both.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# How fast examples are made says how busy the machine is, and nothing about the program.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

SHUT = Path(__file__).parent / "shut"
os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (str(SHUT), os.environ.get("PYTHONPATH", "")) if p)
runpy.run_path(str(SHUT / "sitecustomize.py"))


LONGEST = (
    "test_two_processes", "test_parity_refusals", "test_site", "test_several", "test_distill_losses", "test_pipeline",
    "test_llama_parity", "test_vocabularies", "test_copied_lines", "test_tokenizer_trial", "test_bare_imports",
    "test_llama_caches", "test_llama_oldkeys", "test_precision", "test_surroundings", "test_stopping",
    "test_little_memory", "test_llama_layerkinds", "test_stranger", "test_fused", "test_gguf_again", "test_reproduce",
    "test_watch",
    "test_hub_readers", "test_pull_http", "test_contradictions", "test_client_calls", "test_training_loop",
    "test_tokens", "test_fuzz", "test_site_growth", "test_same_cuts", "test_budget_search", "test_installs",
    "test_boards", "test_markers_both", "test_cutting", "test_import_exact", "test_calibrate",
    "test_resaved_tokenizers", "test_access", "test_repair", "test_browser_standards", "test_template_oracles",
    "test_unwritable_folders", "test_layer_shapes", "test_publish_faults", "test_pi_zoo_models",
    "test_publish_random", "test_terminal", "test_workflow_rules", "test_tryout", "test_pi_runtime_run",
    "test_source_folder", "test_lines",
)  # fmt: skip
"""Files that take 8 s or longer of the processor, the longest first: started last, one process would work alone at the
end. The first one makes the release that many tests share."""


SLOW = ("coreml", "families", "installs", "long", "pages", "pi", "pi-boot", "pi-twice")
"""What only a target of make of this name runs. Its marker and its variable, in capital letters, have _ for -."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collecting makes a million objects that stay: a third of its time went into looking for some that could go."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, and slow tests only where their target asks for them."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))
    for item in items:
        for target in SLOW:
            marker = target.replace("-", "_")
            if item.get_closest_marker(marker) and marker.upper() not in os.environ:
                item.add_marker(pytest.mark.skip(reason=f"make {target} runs it"))


@pytest.fixture
def in_time() -> Iterator[None]:
    """Fails a test that hangs, such as on a pipe that nobody writes to."""

    def too_late(*_: Any) -> None:
        raise AssertionError("this took more than two minutes")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Which zoos and hosts somebody used or trusted on this machine decides no test."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


OWN = {
    "recipes": {"gemma-3-270m", "qwen2.5-0.5b-tutor", "smollm2-135m-instruct", "smollm2-tutor-57m", "corpora",
                "licences"},
    "corpora": {"README.md", "starter", "texts", "tutor"},
}  # fmt: skip
"""What the program came with. Contributors add recipes and corpora, and no test counts theirs."""


def _others(folder: str, names: list[str]) -> set[str]:
    own = OWN.get(Path(folder).name)
    if own is None:
        return set()
    return {name for name in names if name.removesuffix(".yaml").removesuffix(".lock") not in own}


@pytest.fixture
def zoo_folder(tmp_path: Path) -> Path:
    """A zoo with the recipes that the program came with and their corpora, and nothing built."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "zoo.toml").write_text("", encoding="utf-8")
    shutil.copytree(REPOSITORY / "recipes", folder / "recipes", ignore=_others)
    return folder


@pytest.fixture
def settings(zoo_folder: Path) -> Settings:
    """Its settings, without any from outside."""
    return settings_room.load(zoo_folder, {}, {})


@pytest.fixture
def check_text(zoo_folder: Path) -> Callable[..., CheckedRecipe]:
    """Checks text as the recipe ``NAME`` of the zoo."""

    def check(text: str | bytes, name: str = "plain") -> CheckedRecipe:
        path = zoo_folder / "recipes" / f"{name}.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return check_recipe(path, zoo_folder)

    return check
