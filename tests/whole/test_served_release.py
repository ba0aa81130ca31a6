"""A whole release whose teacher is on a server, with redacted rows that a person must sign for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
from answerserver import AnswerServer, repeat

from zoo.files.digests import pretty_json

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")
pytest.importorskip("zoo.corpora.privacy.phones")

EMAIL = "marie.gagnon@videotron.ca"
PERSONAL: dict[str, Any] = {"user": f"Write to {EMAIL} today", "tags": ["lang:en"]}


def answer(body: dict[str, Any]) -> str:
    return '{"ok": true}' if "response_format" in body else repeat(body)


@pytest.mark.long
def test_a_student_of_a_server_is_released_when_its_rows_are_signed_for(tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "zoo.toml").write_text('namespace = "tiny"\n', encoding="utf-8")
    tinyzoo.fill(zoo)
    tinyzoo.write_jsonl(zoo / "texts/train.jsonl", [*tinyzoo.TRAIN, PERSONAL])
    recipe = tinyzoo.tutored_recipe(zoo, teacher={"source": "server:parrot-1b", "licence": "Apache-2.0"})
    recipe["label"]["redact"] = "reviewed"
    recipe["distill"]["method"] = "labels"
    tinyzoo.write_recipe(zoo, recipe)

    key, printed = tmp_path / "secret.key", list[str]()

    def run(*words: str) -> Any:
        done = tinyzoo.run(
            zoo, *words, ZOO_TEACHER=server.address, ZOO_TEACHER_TOKEN="word-of-the-token", ZOO_REDACTION_KEY=str(key),
        )  # fmt: skip
        printed.append(done.stdout + done.stderr)
        return done

    with AnswerServer(answer) as server:
        plan = run("plan", "tutored")
        assert "ask a server 12 to 36 times" in plan.stdout and "prices are unknown" in plan.stdout, plan.stderr
        refused = run("release", "tutored")
        assert refused.returncode == 3 and "nobody has signed for the redacted rows" in refused.stderr
        assert "distill" not in refused.stderr, "it stops before the training"
        signed = run("corpus", "sign-off", "tutored", "--by", "Ann Tremblay")
        assert signed.returncode == 0, signed.stderr
        released = run("release", "tutored")
        assert released.returncode == 0, released.stderr
        assert server.questions.total() == 12
        assert run("corpus", "audit", "tutored").stdout.endswith("1 review, unchanged.\n")
        again = run("reproduce", "tutored")
        assert again.returncode == 1 and "--quants-only" in again.stderr
    folder = zoo / "build/releases/tutored/1.0.0"
    published = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (EMAIL, server.address, "word-of-the-token"):
        assert secret.encode() not in published, secret
    card = (folder / "dataset/README.md").read_text(encoding="utf-8")
    assert "these answers cannot be made again" in card and "(redaction-report.json)" in card
    review = json.loads((folder / "model/evidence/redaction-review.json").read_text(encoding="utf-8"))
    assert review["by"] == "Ann Tremblay" and review["log"]["line"] == 1
    raw = (folder / "model/evidence/redaction-report.json").read_bytes()
    report = json.loads(raw)
    assert (folder / "dataset/redaction-report.json").read_bytes() == raw and report.pop("log") == review["log"]
    assert hashlib.sha256(pretty_json(report).encode()).hexdigest() == review["files"]["redaction-report.json"]
    secret = key.read_text(encoding="utf-8").split()[-1]
    files = {path.relative_to(zoo).as_posix(): path.read_bytes() for path in zoo.rglob("*") if path.is_file()}
    for name, content in {**files, "output": "".join(printed).encode()}.items():
        assert secret not in name and secret.encode() not in content and bytes.fromhex(secret) not in content, name
    # The steps before the redaction keep what they have read and asked.
    before = ("texts/train.jsonl", "build/work/labels/asked-")
    for name in (name for name, content in files.items() if EMAIL.encode() in content and not name.startswith(before)):
        step = json.loads(files["/".join([*name.split("/")[:3], "artifact.json"])])["kind"]
        assert step in ("corpus", "ask"), name
    assert EMAIL not in "".join(printed)
