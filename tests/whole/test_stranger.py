"""A zoo from a stranger, such as a pull request: looking at it runs nothing that it brings."""

from __future__ import annotations

import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")
import tinyzoo

from zoo.llama.convert import convert

REPOSITORY = Path(__file__).parents[2]
OF_OURS = ("zoo", "catalog", "pi_runtime")
OFTEN_IMPORTED = (
    *OF_OURS, "llama_cpp", "numpy", "torch", "transformers", "gguf", "yaml", "jinja2", "pip", "mkdocs", "ctypes",
    "json", "subprocess", "sitecustomize", "usercustomize", "evil",
)  # fmt: skip


class Opened:
    """Pickled, it makes a file when somebody loads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.mark), "w")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that exists once anything of the stranger's was run."""
    return tmp_path / "it-ran"


@pytest.fixture
def zoo(tmp_path: Path, mark: Path) -> Path:
    """Recipes whose folder has modules, an installed package, code of a model, pickles and a template of its own."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    code = f"import sys\nopen({str(mark)!r}, 'w').write(__name__ + ' ' + ' '.join(sys.orig_argv))\n"
    for name in OFTEN_IMPORTED:
        (zoo / name).mkdir()
        (zoo / name / "__init__.py").write_text(code, encoding="utf-8")
    (zoo / "evil" / "m.gguf").write_bytes(b"GGUF")
    info = zoo / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text("evil/__init__.py,,\nevil/m.gguf,,\n", encoding="utf-8")
    own = zoo / "models" / "own"
    tinyzoo.make_talker(own)
    (own / "modeling_own.py").write_text(code, encoding="utf-8")
    escape = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    (own / "chat_template.jinja").write_text(escape, encoding="utf-8")
    (own / "training_args.bin").write_bytes(pickle.dumps(Opened(mark)))
    config = (own / "config.json").read_text(encoding="utf-8")
    its_own = '{"auto_map": {"AutoModelForCausalLM": "modeling_own.Own", "AutoConfig": "modeling_own.Own"},'
    (own / "config.json").write_text(config.replace("{", its_own, 1), encoding="utf-8")
    source = {**tinyzoo.source(zoo), "source": "file:models/own"}
    tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, teacher=source))
    package = {**tinyzoo.source(zoo), "source": "package:evil/m.gguf"}
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, student=package))
    return zoo


@pytest.mark.parametrize(
    "command", ["check", "plan plain", "plan tutored", "doctor", "doctor plain", "doctor tutored", "show plain"]
)
def test_looking_at_it_runs_nothing_of_it(command: str, zoo: Path, mark: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zoo", *command.split()],
        cwd=zoo, env=tinyzoo.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "bug in zoo" not in done.stderr and "Traceback" not in done.stderr
    assert not mark.exists(), mark.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["check", "build plain"])
def test_a_tokenizer_that_names_code_elsewhere_runs_nothing(command: str, tmp_path: Path, mark: Path) -> None:
    """The converter trusts what a folder names for families such as GLM, and transformers follows a path anywhere."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    leak = "import os\nfrom transformers import PreTrainedTokenizerFast as Tok\n"
    leak += f"open({str(mark)!r}, 'w').write(str(dict(os.environ)))\n"
    (elsewhere / "evil.py").write_text(leak, encoding="utf-8")
    own = zoo / "models" / "teacher"
    code = {"AutoTokenizer": [None, f"{elsewhere}--evil.Tok"]}
    for name, more in (
        ("config.json", {"model_type": "glm4", "architectures": ["Glm4ForCausalLM"], "auto_map": code}),
        ("tokenizer_config.json", {"auto_map": code}),
    ):
        data = json.loads((own / name).read_text(encoding="utf-8")) | more
        (own / name).write_text(json.dumps(data), encoding="utf-8")
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo))
    subprocess.run(
        [sys.executable, "-P", "-m", "zoo", *command.split()],
        cwd=zoo, env=tinyzoo.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not mark.exists(), mark.read_text(encoding="utf-8")


def test_the_converter_gets_nothing_of_the_users_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = convert.environment(tmp_path, str(tmp_path))
    assert "secret" not in " ".join(found.values()) and found["HOME"] == str(tmp_path)


def test_the_marks_would_be_seen(zoo: Path, mark: Path) -> None:
    subprocess.run([sys.executable, "-c", "import numpy"], cwd=zoo, check=False)
    assert mark.read_text(encoding="utf-8").startswith("numpy")
    mark.unlink()
    pickle.loads((zoo / "models/own/training_args.bin").read_bytes()).close()
    assert mark.exists()


def test_no_child_of_ours_takes_modules_from_the_current_folder() -> None:
    """``python -c`` and ``python -m`` do, unless they get -P or -I, or PYTHONSAFEPATH in their environment."""
    careless = []
    for room in OF_OURS:
        for path in sorted((REPOSITORY / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.List) or not node.elts or ast.unparse(node.elts[0]) != "sys.executable":
                    continue
                first = node.elts[1]
                flag = str(first.value) if isinstance(first, ast.Constant) else ""
                if not flag.startswith(("-P", "-I")) and "PYTHONSAFEPATH" not in text:
                    careless.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    assert not careless, os.linesep.join(careless)
