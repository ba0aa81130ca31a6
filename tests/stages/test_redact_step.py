"""Labelled rows without personal data: what is replaced, what stays, what the step's files must not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("zoo.corpora.privacy.phones")

from zoo.corpora.rows import Answer, Row, labelled, messages_of
from zoo.errors import InputError
from zoo.files.digests import canonical_json
from zoo.files.listing import records
from zoo.progress import Silent
from zoo.stages import Context, redact
from zoo.stages.artifact import Artifact

EMAIL, PHONE, LISTED = "marie.gagnon@videotron.ca", "418 683-4471", "help@videotron.ca"
MAIL = {
    "type": "object", "required": ["to"], "additionalProperties": False,
    "properties": {"to": {"type": "string", "maxLength": 17}},
}  # fmt: skip
FREE = {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}, "note": {"enum": [LISTED]}}}


def line(number: int, user: str, answer: str, schema: Any = None, system: str = "") -> str:
    record: dict[str, Any] = {"user": user, "tags": ["t"], **({"system_hint": system} if system else {})}
    if schema is not None:
        record |= {"requires_json": True, "tool_name": "send", "tool_schema": schema}
    row = Row(f"{number:064x}", "train", number, messages_of(record, None), schema, ("t",))  # type: ignore[arg-type]
    return canonical_json(labelled(row, Answer(row.key, answer, "stop", 3, 1, ""))) + "\n"


def step(folder: Path, train: list[str], key: Path | None = None, failures: Any = ()) -> dict[str, Any]:
    """The files that the step makes of these rows."""
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    (labels / "train.jsonl").write_text("".join(train), encoding="utf-8")
    (labels / "heldout.jsonl").write_text(line(99, f"Write to {EMAIL}", "no"), encoding="utf-8")
    (labels / "label-report.json").write_text(json.dumps({"rows": 3, "failures": list(failures)}), encoding="utf-8")
    (folder / "out").mkdir(exist_ok=True)
    inputs = {"labels": Artifact("label", "k", labels, records(labels), {})}
    out, work = folder / "out", folder / "work"
    redact.run(Context({}, inputs, out, folder, folder, work, 1, "cpu", Silent(), redaction_key=key))
    return {
        "text": "".join(path.read_text(encoding="utf-8") for path in sorted((folder / "out").iterdir())),
        "train": [json.loads(one) for one in (folder / "out/train.jsonl").read_text().splitlines()],
        "heldout": [json.loads(one) for one in (folder / "out/heldout.jsonl").read_text().splitlines()],
        "report": json.loads((folder / "out/redaction-report.json").read_text()),
        "labels": json.loads((folder / "out/label-report.json").read_text()),
    }


def test_prompts_and_answers_lose_the_same_value_by_the_same_placeholder(tmp_path: Path) -> None:
    made = step(tmp_path, [line(1, f"Call {PHONE}", f"I wrote to {EMAIL}."), line(2, "hello", "hi")])
    first, second = made["train"]
    assert EMAIL not in made["text"] and PHONE not in made["text"]
    placeholder = first["messages"][1]["content"].removeprefix("I wrote to ").removesuffix(".")
    assert made["heldout"][0]["messages"][0]["content"] == f"Write to {placeholder}"
    assert [one["content"] for one in second["messages"]] == ["hello", "hi"]
    report = made["report"]
    assert (report["records"], report["changed"], report["found"]["EMAIL"], report["found"]["PHONE"]) == (3, 2, 2, 1)
    assert [one["path"] for one in report["files"]] == ["data/train.jsonl", "data/heldout.jsonl"]
    assert report["placeholders"]["linkable"] is False


def test_an_answer_that_must_be_json_still_follows_its_schema_and_the_schema_stays(tmp_path: Path) -> None:
    made = step(tmp_path, [line(1, "send it", json.dumps({"to": EMAIL}), FREE, system=f"I am {EMAIL}")])
    (row,) = made["train"]
    system, _, answer = (one["content"] for one in row["messages"])
    assert system.startswith("I am [EMAIL-") and system.endswith(canonical_json(FREE))
    assert json.loads(answer)["to"].startswith("[EMAIL-") and row["requires_json"]


def test_a_row_that_cannot_follow_its_schema_is_left_out_and_counted(tmp_path: Path) -> None:
    made = step(tmp_path, [line(1, "send it", json.dumps({"to": "jo@videotron.ca"}), MAIL)])
    assert made["train"] == [] and made["report"]["left_out"] == 1


def test_keys_and_reasons_tell_nothing_of_what_was_there(tmp_path: Path) -> None:
    reason = f"the answer does not fit the schema: '{EMAIL}' is too long"
    failures = [{"part": "train", "record": 0, "key": "a" * 16, "reason": reason}]
    made = step(tmp_path, [line(1, f"mail {EMAIL}", "ok")], failures=failures)
    (failure,) = made["labels"]["failures"]
    assert failure["reason"] == "the answer does not fit the schema" and failure["key"] != "a" * 16
    assert made["train"][0]["key"] != f"{1:064x}"[:16] and len(made["train"][0]["key"]) == 16
    assert EMAIL not in made["text"]


def test_without_a_kept_key_every_corpus_has_its_own_placeholders_and_with_one_they_stay(tmp_path: Path) -> None:
    rows = [line(1, f"mail {EMAIL}", "ok")]
    one, two = (step(tmp_path / name, rows)["text"] for name in ("one", "two"))
    assert one != two
    key = tmp_path / "secret.key"
    first, again = (step(tmp_path / name, rows, key) for name in ("three", "four"))
    assert first["text"] == again["text"] and first["report"]["placeholders"]["linkable"] is True
    secret = key.read_text().split()[-1]
    paths = [path for name in ("three", "four") for path in (tmp_path / name).rglob("*.json*")]
    everything = b"".join(path.read_bytes() for path in paths)
    assert secret.encode() not in everything and bytes.fromhex(secret) not in everything


def test_a_key_in_the_zoo_or_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    rows = [line(1, f"mail {EMAIL}", "ok")]
    with pytest.raises(InputError, match="the secret key would be in the folder of the zoo"):
        step(tmp_path / "zoo", rows, tmp_path / "zoo" / "secret.key")
    assert not (tmp_path / "zoo" / "secret.key").exists()
    key = tmp_path / "secret.key"
    step(tmp_path / "one", rows, key)
    key.chmod(0o644)
    with pytest.raises(InputError, match="others may read the key"):
        step(tmp_path / "two", rows, key)


def test_what_looks_like_a_placeholder_stays_and_redaction_repeated_changes_nothing(tmp_path: Path) -> None:
    rows = [line(1, f"mail {EMAIL} or [EMAIL-k3v7q2xw5a]", "ok \u202e@" + "@" * 1000)]
    key = tmp_path / "secret.key"
    once = step(tmp_path / "one", rows, key)
    again = step(tmp_path / "two", (tmp_path / "one/out/train.jsonl").read_text().splitlines(keepends=True), key)
    assert [one["messages"] for one in once["train"]] == [one["messages"] for one in again["train"]]
    assert "[EMAIL-k3v7q2xw5a]" in once["text"] and again["report"]["files"][0]["changed"] == 0


def test_a_redaction_that_leaves_no_row_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for name in ("train.jsonl", "heldout.jsonl"):
        (labels / name).write_text("", encoding="utf-8")
    (labels / "label-report.json").write_text('{"failures": []}', encoding="utf-8")
    (tmp_path / "out").mkdir()
    inputs = {"labels": Artifact("label", "k", labels, records(labels), {})}
    with pytest.raises(InputError, match="no row is left"):
        redact.run(Context({}, inputs, tmp_path / "out", tmp_path, tmp_path, tmp_path / "work", 1, "cpu", Silent()))
