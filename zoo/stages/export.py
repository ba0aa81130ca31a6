"""export: a model folder becomes one GGUF file through llama.cpp's converter, its header completed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.recipe import build
from zoo.gguf import header, layerkinds, layout, overflow, tokentypes, wording
from zoo.gguf.facts import header_facts
from zoo.gguf.inplace import rewrite_in_place
from zoo.gguf.padding import padding
from zoo.llama.convert import convert, endtokens
from zoo.modelfolder import record
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE


@dataclass(frozen=True)
class Spec:
    """The file's type, and what its header is completed with; an empty header for a teacher's file."""

    type: str
    header: dict[str, layout.Scalar | list[str]]


def run(context: Context) -> Facts:
    """Writes ``model.gguf``; the facts are its header in short."""
    spec: Spec = build(Spec, context.spec)
    raw = context.scratch / "converted.gguf"
    # A killed run's file would take the room of a second model while this one is made.
    for left in context.scratch.glob("*converted.gguf*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    folder = context.inputs["model"].model()
    convert.convert(folder, raw, type_=_type(spec, folder), report=context.report)
    overflow.refuse(raw)
    target = context.out / MODEL_FILE
    # Words come last, when the release is assembled; whatever the converter found in the folder is not the recipe's.
    unworded = wording.removed() if spec.header else {}
    rewrite_in_place(raw, {**unworded, **spec.header, **padding(raw)})
    told = record.read(context.inputs.get("source", context.inputs["model"]).model())
    if told and (types := tokentypes.stated(raw, told["tokenizer"])):
        rewrite_in_place(raw, types)
    if kinds := layerkinds.stated(header.read_header(raw), _config(folder)):
        rewrite_in_place(raw, kinds)
    found, context_tokens = header.read_header(raw), told["context_tokens"] if told else None
    if isinstance(context_tokens, int) and 0 < context_tokens < found.context_tokens:
        # The converter writes a million tokens for every hybrid with Mamba layers, whatever config.json says.
        rewrite_in_place(raw, {f"{found.architecture}.context_length": context_tokens})
    ends = [*_named_ends(folder), *(one["id"] for one in (told["end_tokens"] if told else ()))]
    if missing := endtokens.placed(raw, ends, header.read_header(raw).metadata):
        rewrite_in_place(raw, missing)
    raw.replace(target)
    return header_facts(target)


def _type(spec: Spec, folder: Path) -> str:
    """The type that the recipe names. A teacher's file only answers prompts: it has the type of its folder, which is
    bf16 if f16 cannot represent the weights."""
    own = not spec.header and _config(folder).get("dtype") == "bfloat16"
    return "bf16" if own else spec.type


def _config(folder: Path) -> dict[str, object]:
    return table(jsontext.read(folder / "config.json", bounded=False, finite=False))


def _named_ends(folder: Path) -> list[int]:
    """End tokens of generation_config.json, in its order. The file was written or checked by the import."""
    path = folder / "generation_config.json"
    named = table(jsontext.read(path, bounded=False)).get("eos_token_id") if path.is_file() else None
    return [n for n in (named if isinstance(named, list) else [named]) if isinstance(n, int)]
