"""A whole release whose student learnt from the log-probabilities of a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tinyzoo

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")

from logitserver import MODEL, LogitServer

TOKEN = "word-of-the-token"


@pytest.mark.long
@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_student_of_log_probabilities_is_released(engine: str, tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    teacher = {"source": f"server:{MODEL}", "licence": "Apache-2.0", "engine": engine}
    tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, teacher=teacher))

    with LogitServer(zoo / "models/teacher", engine) as server:
        server.room = 4096

        def run(*words: str) -> Any:
            return tinyzoo.run(zoo, *words, ZOO_TEACHER=f"{server.host}/v1", ZOO_TEACHER_TOKEN=TOKEN)

        plan = run("plan", "tutored")
        assert "ask a server for 16 log-probabilities at each of at most" in plan.stdout, plan.stderr
        assert plan.stdout.count("over the network") == 1
        server.most = 5
        refused = run("release", "tutored")
        assert refused.returncode == 1 and "or lower distill.top_k" in refused.stderr, refused.stderr
        server.most = 64
        released = run("release", "tutored")
        assert released.returncode == 0, released.stderr
        assert run("reproduce", "tutored").returncode == 1
    folder = zoo / "build/releases/tutored/1.0.0"
    report = json.loads((folder / "model/evidence/distill-report.json").read_text(encoding="utf-8"))
    assert report["teacher"]["model"] == MODEL and report["teacher"]["reproducible"] is False
    assert report["teacher"]["server"] == {"vllm": "vLLM", "sglang": "SGLang"}[engine]
    card = (folder / "model/README.md").read_text(encoding="utf-8")
    assert "which does not compute" in card and "evidence/distill-report.json" in card
    published = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (server.host, TOKEN):
        assert secret.encode() not in published, secret
    assert all(TOKEN.encode() not in path.read_bytes() for path in zoo.rglob("*") if path.is_file())
