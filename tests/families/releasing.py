"""A family's model through a complete ``zoo release``, in a separate zoo."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import tinyzoo

import families

PATIENCE_SECONDS = 1800
"""A release takes a minute on two free cores; a vocabulary of 262,144 tokens on busy ones takes many."""
MODEL = "models/teacher"
"""Where the recipes of ``tinyzoo`` look for the model."""
TALK = (
    "{% for message in messages %}### {{ message.role }}:\n{{ message.content }}"
    "{{ eos_token if message.role == 'assistant' }}\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)
"""A chat template of plain words, for base models that learn from a teacher."""


def release(
    name: str, folder: Path, *, tutored: bool = False, **shape: Any
) -> subprocess.CompletedProcess[str]:
    """Make the family's model in the new zoo ``folder`` and release it; ``tutored``: a pruned student is distilled."""
    row = families.family(name)
    folder.mkdir(parents=True)
    (folder / "zoo.toml").write_text('namespace = "tiny"\n', encoding="utf-8")
    (folder / "texts").mkdir()
    (folder / "recipes").mkdir()
    (folder / "texts" / "words.txt").write_text(tinyzoo.TEXT * 8, encoding="utf-8")
    (folder / "texts" / "other.txt").write_text(tinyzoo.OTHER_TEXT * 6, encoding="utf-8")
    families.make(name, folder / MODEL, **shape)
    if tutored and row.template is None:
        (folder / MODEL / "chat_template.jinja").write_text(TALK, encoding="utf-8")
    # A row that is also tutored is pruned there, so here the complete model is released.
    layers = row.layers if tutored or not row.tutored else ()
    return release_model(folder, slug(name), layers=layers, tutored=tutored, system_role=row.system_role)


def release_model(
    folder: Path,
    recipe: str,
    *,
    layers: tuple[int, ...] = (),
    tutored: bool = False,
    system_role: bool = True,
    **changes: Any,
) -> subprocess.CompletedProcess[str]:
    """Write a recipe for the model in MODEL and release it."""
    source = tinyzoo.source(folder)
    made = tinyzoo.tutored_recipe if tutored else tinyzoo.plain_recipe
    if tutored:
        for name, rows in (("train", tinyzoo.TRAIN), ("heldout", tinyzoo.HELDOUT)):
            plain = [{"user": row["user"], "tags": row["tags"]} for row in rows]
            tinyzoo.write_jsonl(folder / "texts" / f"{name}.jsonl", rows if system_role else plain)
    student = {**source, "layers": list(layers)} if layers else source
    # Random models do not answer validly; what matters is that a student is made and measured.
    folder_has_template = (folder / MODEL / "chat_template.jinja").is_file()
    task = "chat" if folder_has_template else "completion"
    more: dict[str, Any] = {"student": student, "gates": [], "task": task, **changes}
    tinyzoo.write_recipe(folder, made(folder, recipe, **more))
    process = tinyzoo.start(folder, "release", recipe, **tinyzoo.STRANGER)
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def slug(name: str) -> str:
    """The recipe's name of a family."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-").replace("--", "-")
