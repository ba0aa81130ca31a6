"""What contributors are promised: checks exist, days agree with the report, owners own files, templates are short."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from zoo.review import report

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def section(title: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return str(body)


def test_every_machine_item_names_the_workflow_that_runs_it() -> None:
    commands = re.findall(r"^\| .+ \| `(.+)` \|$", section("What the checks look at"), re.MULTILINE)
    assert len(commands) >= 7
    runs = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml"))
    for command in commands:
        words = "zoo review" if command.startswith("zoo review") else command
        assert f"run: {words}" in runs, command


def test_the_human_items_are_those_of_the_report() -> None:
    items = re.findall(r"^- (.+)$", section("What a maintainer looks at"), re.MULTILINE)
    assert len(items) == len(report.HUMAN) <= 8


def test_the_days_are_those_of_the_report() -> None:
    days = re.findall(r"^\| (\d+) days \|", section("Who answers, and when"), re.MULTILINE)
    assert days == ["3", "7", "14", "21"]
    assert (str(report.REVIEW_DAYS), str(report.SECOND_DAYS)) == (days[1], days[2])


def test_the_policy_on_generated_contributions_is_short() -> None:
    assert 0 < len(section("Generated contributions").strip().splitlines()) <= 10
    assert len(re.findall(r"^- ", section("Why a contribution is refused"), re.MULTILINE)) >= 4


def test_every_owner_owns_files() -> None:
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this is not a clone")
    files = done.stdout.splitlines()
    lines = (ROOT / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    assert rows[0][0] == "*"
    for pattern, *owners in rows:
        assert owners and all(re.fullmatch(r"@[\w./-]+", owner) for owner in owners)
        assert pattern == "*" or any(f"/{file}".startswith(pattern) for file in files), pattern


def test_the_template_of_a_pull_request_has_few_boxes() -> None:
    text = (ROOT / ".github/pull_request_template.md").read_text(encoding="utf-8")
    assert 1 <= text.count("- [ ] ") <= 5


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_what_is_needed(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields and len({field["id"] for field in fields}) == len(fields)
    required = [field for field in fields if field.get("validations", {}).get("required")]
    assert required and len(form["labels"]) == 1
    for field in fields:
        options = field["attributes"].get("options", ["one"])
        assert len({str(option) for option in options}) == len(options)


def test_there_is_a_form_for_every_purpose() -> None:
    assert {path.stem for path in FORMS} == {"bug", "dataset", "device", "recipe", "runtime", "withdrawal"}


def test_security_and_conduct_say_where_to_write_and_when_an_answer_comes() -> None:
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "Report a vulnerability" in text and "three days" in " ".join(text.split())
