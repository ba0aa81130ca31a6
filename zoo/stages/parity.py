"""parity: the exported file against the model folder that it was made from, before anything is quantized."""

from __future__ import annotations

import dataclasses

from zoo.errors import GateRefused, ModelFileError
from zoo.llama import parity as file_side
from zoo.parity.compare import Check, compare, template
from zoo.parity.material import TEXTS
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE
from zoo.stages.export import model_folder
from zoo.training import require
from zoo.workspace import pretty_json, write_atomic


def run(context: Context) -> Facts:
    """Writes ``parity.json``. Raises GateRefused with the first difference of every check that the recipe does not
    allow to fail."""
    require()
    from zoo.training import parity as folder_side

    with context.report.task("comparing with transformers", 2 * len(TEXTS), "texts") as advance:
        folder = folder_side.look(
            model_folder(context.inputs["weights"]), threads=context.threads, advance=advance
        )
        path = context.inputs["model"].path(MODEL_FILE)
        try:
            file = file_side.look(path, folder.texts, threads=context.threads, advance=advance)
        except ModelFileError as error:
            raise _refusal([f"  tokens and logits: {error}"]) from error
    checks = compare(folder, file.seen, context.spec["type"], file.generated)
    own = template(folder.renderings, file.own)
    if not own.passed:
        checks = [own if check.name == "template" and check.passed else check for check in checks]
    if file.built_in == "other":
        context.report.warn(
            "llama.cpp's built-in chat formats write this template otherwise; programs that do not run the file's own "
            "template show the model another prompt"
        )
    refused = [check for check in checks if not check.passed and check.name not in context.spec["allow"]]
    if refused:
        raise _refusal([_line(check) for check in refused])
    report = {
        "format": "zoo-parity/1",
        "checks": [
            {**dataclasses.asdict(check), "allowed": check.name in context.spec["allow"]} for check in checks
        ],
        "built_in_template": file.built_in,
    }
    write_atomic(context.out / "parity.json", pretty_json(report))
    return report


def _line(check: Check) -> str:
    return f"  {check.name}: {check.detail}"


def _refusal(lines: list[str]) -> GateRefused:
    return GateRefused(
        "\n".join(["the exported file is not the model it was made from", *lines]),
        safe="Nothing was quantized or published.",
        remedy="Mend the source or its tokenizer; a difference that is known and harmless can be allowed under "
        "`parity: {allow: [...]}` in the recipe, and is then told with the release",
    )
