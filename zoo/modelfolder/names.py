"""Tensor names that a wrapper around the model left, mapped back to the model's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zoo.errors import ModelFileError

WRAPPERS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("_orig_mod.", re.compile(r"(^|\.)_orig_mod(?=\.)"), "torch.compile"),
    ("_fsdp_wrapped_module.", re.compile(r"(^|\.)_fsdp_wrapped_module(?=\.)"), "FSDP"),
    (
        "_checkpoint_wrapped_module.",
        re.compile(r"(^|\.)_checkpoint_wrapped_module(?=\.)"),
        "activation checkpoints",
    ),
    ("module.", re.compile(r"^module(?=\.)"), "DataParallel or DeepSpeed"),
    ("base_model.model.", re.compile(r"^base_model\.model(?=\.)"), "peft"),
    (".base_layer", re.compile(r"\.base_layer(?=\.)"), "peft"),
    (".modules_to_save.default", re.compile(r"\.modules_to_save\.default(?=\.)"), "peft"),
    (".original_module", re.compile(r"\.original_module(?=\.)"), "peft"),
)
"""(what is taken out, where, who wrote it), in the order in which wrappers are unpacked. None of these words is a part
of a name in any architecture of transformers."""


def unwrapped(names: Iterable[str]) -> tuple[dict[str, str], list[dict[str, object]]]:
    """Stored name -> the model's own name, and the rules that changed any (from, by, tensors).

    Raises ModelFileError when two stored names become the same one.
    """
    mapping = {name: name for name in names}
    rules: list[dict[str, object]] = []
    for taken, pattern, origin in WRAPPERS:
        changed = _apply(mapping, lambda name, pattern=pattern: pattern.sub("", name).lstrip("."))
        if changed:
            rules.append({"removed": taken, "by": origin, "tensors": changed})
    # A trainer's own class with the language model as its attribute ``model``.
    if mapping and all(name.startswith("model.") for name in mapping.values()):
        inner = [name.removeprefix("model.") for name in mapping.values()]
        if any(name.startswith("model.") for name in inner):
            changed = _apply(mapping, lambda name: name.removeprefix("model."))
            rules.append({"removed": "model.", "by": "a class around the model", "tensors": changed})
    _refuse_collisions(mapping)
    return mapping, rules


def _apply(mapping: dict[str, str], change: object) -> int:
    assert callable(change)
    count = 0
    for stored, name in mapping.items():
        new = change(name)
        count += new != name
        mapping[stored] = new
    return count


def _refuse_collisions(mapping: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for stored, name in sorted(mapping.items()):
        if name in first:
            raise ModelFileError(
                f"The tensors {first[name]} and {stored} would both be {name}, and it is not clear which one is right",
                where="model.safetensors",
                remedy="Save the model again without its wrapper (for peft: merge_and_unload() before save_pretrained)",
            )
        first[name] = stored
