"""Model card and dataset card: text from data. Pure; it never contacts a hub.

The front matter follows the Hub's card metadata (https://huggingface.co/docs/hub/model-cards); what the Hub has no key
for is under ``zoo:``. Everything that comes from a recipe is escaped, so that it shows as text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

import jinja2
import yaml

from catalog import cardrules, hublists, licences, maturity, schema, sources, teacherweights, unseen
from catalog import terms as licence_terms
from catalog.jsontext import JsonObject
from catalog.problems import Problem, show
from catalog.recipe import Recipe
from catalog.release import HeldOut, Model, ModelFile, Release, Terms, bits_of, reference_words
from catalog.words import counted, data_size, rate
from zoo.choose import commands
from zoo.corpora.distributions import Split
from zoo.files.bundled import site_folder
from zoo.judge.probes import report as probe_report

PIPELINE_TAGS = {
    "chat": "text-generation",
    "completion": "text-generation",
    "extraction": "text-generation",
    "translation": "translation",
    "classification": "text-classification",
}
"""The Hub's word for each task of a recipe."""

MEMORY_CONTEXT = 2048
"""Context length for which a card states the memory need (or the model's own, if that is smaller)."""

MODEL_SECTIONS = ("Files", "How to run it", "Where it comes from")
DATASET_SECTIONS = ("What is in it", "Distributions", "Sources and licences", "Limits")


def model_metadata(recipe: Recipe, release: Release, namespace: str) -> dict[str, object]:
    """Front matter of the model card."""
    architecture = release.architecture
    data: dict[str, object] = {
        **_licence(release.licence, release.terms),
        "language": primary_languages(recipe.languages),
        "pipeline_tag": PIPELINE_TAGS[recipe.task],
        "library_name": "gguf",
        "tags": sorted({"gguf", "llama.cpp", recipe.task, *(file.type for file in release.files)}),
    }
    if recipe.student.upstream:
        data["base_model"] = recipe.student.upstream
        data["base_model_relation"] = "finetune" if recipe.distill else "quantized"
    if recipe.publish.dataset and release.dataset:
        data["datasets"] = [f"{namespace}/{recipe.publish.dataset}"]
    data |= _gate(recipe)
    data["zoo"] = {
        "name": recipe.name,
        "version": recipe.version,
        "date": recipe.date,
        "architecture": architecture.name,
        "parameters": architecture.parameters,
        "context_tokens": architecture.context_tokens,
        "template_sha256": architecture.template_sha256,
        "files": {
            file.path: {"size_bytes": file.size_bytes, "sha256": file.sha256} for file in release.files
        },
    }
    return data


def dataset_metadata(recipe: Recipe, release: Release, splits: Sequence[Split]) -> dict[str, object]:
    """Front matter of the dataset card."""
    assert release.dataset
    rows = sum(split["records"] for split in splits)
    return {
        **_licence(release.dataset.licence),
        "language": primary_languages(release.dataset.languages),
        **_regions(release.dataset.languages),
        "pretty_name": recipe.publish.dataset,
        "task_categories": ["text-generation"],
        "size_categories": [size_category(rows)],
        "tags": ["distillation", "synthetic"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split["name"], "path": split["path"]} for split in splits],
            }
        ],
        **_gate(recipe),
        "zoo": {
            "name": recipe.name,
            "version": recipe.version,
            "date": recipe.date,
            "splits": {
                s["name"]: {"records": s["records"], "sha256": s["sha256"], "path": s["path"]} for s in splits
            },
        },
    }


def remarks(parity: Mapping[str, object]) -> list[str]:
    """What a reader of the card must know about the template, from the report of the parity step, one sentence each.

    Differences between the file and its source are in the record of the release (``known_differences``).
    """
    if day := parity.get("template_clock"):
        return [
            f"The chat template shows the model the date. In training, measurements and checks it was always {day}; "
            "a program that runs the template shows the real date."
        ]
    return []


def _regions(languages: Sequence[str]) -> dict[str, list[str]]:
    """The languages with their regions, which the Hub's key for languages cannot hold; nothing if none has one."""
    return {"language_details": sorted(languages)} if any("-" in one for one in languages) else {}


def model_card(
    recipe: Recipe, model: Model, release: Release, namespace: str, remarks: Sequence[str] = ()
) -> str:
    """The README.md of the model repository. remarks: sentences about the files, see ``remarks``."""
    context = min(MEMORY_CONTEXT, release.architecture.context_tokens)
    known = {need.context_tokens for file in release.files for need in file.memory}
    speeds = [speed for file in release.files for speed in file.speeds if speed.valid]
    suggested = _suggested(release)
    body = (
        _environment()
        .get_template("model.md.j2")
        .render(
            model=model,
            release=release,
            experimental=maturity.EXPERIMENTAL_WORDS,
            reference=release.files[0],
            start=commands.start(release, suggested.path) if suggested else "",
            completes=commands.COMPLETES if commands.completes(release) else "",
            memory_context=context if context in known else max(known),
            smoke_failed=[file.type for file in release.files if not file.smoke_passed],
            fallbacks=[file for file in release.files if file.fallback_tensors],
            weighted=any(file.imatrix_sha256 for file in release.files),
            machines=sorted(
                {f"{s.device or s.cpu}, {counted(s.threads, 'thread')}" for s in speeds}
            ),
            probes=probe_report.rows(release.files),
            training=release.training,
            tune=recipe.tune,
            layers=release.architecture.layers,
            served=_served(recipe),
            asked_as=_asked_as(recipe),
            notes=[source.note for source in (recipe.student, recipe.teacher) if source and source.note],
            remarks=remarks,
            news=recipe.notes,
            since=release.news.since if release.news else None,
            changes=release.news.changes if release.news else (),
        )
    )
    return _front_matter(model_metadata(recipe, release, namespace)) + body


def dataset_card(
    recipe: Recipe, model: Model, release: Release, namespace: str, splits: Sequence[Split],
    files: Sequence[Mapping[str, object]],
) -> str:  # fmt: skip
    """The README.md of the dataset repository. files: the prompt files with part, path, source, licence, sha256."""
    assert release.dataset and recipe.teacher and recipe.label
    tags: dict[str, int] = {}
    for split in splits:
        for tag, count in split["tags"].items():
            tags[tag] = tags.get(tag, 0) + count
    body = (
        _environment()
        .get_template("dataset.md.j2")
        .render(
            name=recipe.publish.dataset,
            model=model,
            model_repository=f"{namespace}/{recipe.publish.model}",
            release=release,
            splits=splits,
            invalid=release.dataset.rows - release.dataset.valid_rows,
            max_tokens=recipe.label.max_tokens,
            tags=sorted(tags.items()),
            files=files,
            teacher=recipe.teacher,
            served=_served(recipe),
            redact=recipe.label.redact or "",
            waivers=_waivers(recipe),
            terms=release.terms.files if release.terms and licence_terms.named_in(recipe.teacher.licence) else (),
        )
    )
    return _front_matter(dataset_metadata(recipe, release, splits)) + body


def _served(recipe: Recipe) -> str:
    """The name of a teacher's model on a server; empty for a teacher whose weights are here."""
    return sources.served_model(recipe.teacher.source) if recipe.teacher else ""


def _asked_as(recipe: Recipe) -> str:
    """The kind of server that gave the teacher's log-probabilities; empty if none did."""
    teacher = recipe.teacher
    is_asked = teacher is not None and recipe.distill and teacherweights.is_asked(teacher.source, teacher.engine)
    return teacherweights.SERVERS[teacher.engine or ""] if teacher and is_asked else ""


def _waivers(recipe: Recipe) -> list[str]:
    """What the prompts lack, and why the recipe accepts it, one sentence each."""
    corpus = recipe.corpus
    found = [f"The share {one.share} is not asked for: {one.waived}" for one in corpus.coverage if one.waived]
    if corpus.overlap_accepted:
        what = "Training prompts may be nearly the same as what the model is measured on"
        found.append(f"{what}: {corpus.overlap_accepted}")
    return found


def with_gate(card: str, recipe: Recipe) -> str:
    """A valid card with the recipe's words for people who ask for access; everything else stays byte for byte."""
    front, _, body = card.removeprefix("---\n").partition("\n---\n")
    data, gate = yaml.safe_load(front), _gate(recipe)
    kept = {key: value for key, value in data.items() if key not in _GATE}
    if gate == {key: value for key, value in data.items() if key in _GATE}:
        return card
    own = {"zoo": kept.pop("zoo")} if "zoo" in kept else {}
    return _front_matter({**kept, **gate, **own}) + body


def read_card(text: str, shown_as: str, kind: str) -> tuple[JsonObject, list[Problem]]:
    """The front matter of a card and everything wrong with the card. kind is ``model`` or ``dataset``.

    The Hub's rules for metadata (catalog.cardrules), the zoo's own schema, and the sections that a card of the zoo has.
    """
    header = cardrules.read_header(text, shown_as)
    document = header.document
    if header.data is None:
        return {}, document.problems
    found = cardrules.check_header(header, kind)
    told = {(problem.line, problem.path) for problem in found}
    found += [
        problem
        for problem in schema.problems(document, f"{kind}-card-v1")
        if (problem.line, problem.path) not in told
    ]
    headings = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    sections = MODEL_SECTIONS if kind == "model" else DATASET_SECTIONS
    last = text.count("\n") + 1
    for section in sections:
        if section not in headings:
            found.append(
                Problem(shown_as, last, 1, "", f"section {show(section)} is missing", f"Add `## {section}`")
            )
    return header.data, found


def primary_languages(codes: Sequence[str]) -> list[str]:
    """Languages in the Hub's form: ISO 639 codes without region, each once, sorted."""
    return sorted({code.partition("-")[0] for code in codes})


def size_category(rows: int) -> str:
    """The Hub's word for a number of records."""
    words = hublists.size_categories()
    bound = 1_000
    for word in words[:-1]:
        if rows < bound:
            return word
        bound *= 10
    return words[-1]


def escape_markdown(text: str) -> str:
    """Text that Markdown, HTML and template engines show unchanged. One line; control characters become escapes."""
    # Of white space only line breaks and tabs are folded: French typography has spaces that must not break.
    shown = unseen.visible(re.sub(r"[ \t-\r\x1c-\x1f\x85\u2028\u2029]+", " ", text).strip(" "))
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", shown)
    # At the start of a line these would make a list or a heading.
    return re.sub(
        r"^([-+=]|\d+(?=[.)]))", lambda m: f"\\{m[1]}" if not m[1].isdigit() else f"{m[1]}\\", shown
    )


def _licence(expression: str, terms: Terms | None = None) -> dict[str, str]:
    """The keys of the Hub. The link is the recipe's, or a file that the Hub links by name."""
    found = {"license": licences.hub_identifier(expression)}
    if found["license"] == "other":
        found["license_name"] = (terms.name if terms else None) or expression
    if terms:
        here = [name for name in terms.files if name in ("LICENSE", "LICENSE.md")]
        found |= {"license_link": terms.link or here[0]} if terms.link or here else {}
    return found


_GATE = ("extra_gated_prompt", "extra_gated_fields")


def _gate(recipe: Recipe) -> dict[str, object]:
    """What the Hub shows to people who ask for a gated repository."""
    publish = recipe.publish
    questions = {one.question: one.answer for one in publish.gate_questions}
    found: dict[str, object] = {"extra_gated_prompt": publish.gate_prompt} if publish.gate_prompt else {}
    return found | ({"extra_gated_fields": questions} if questions else {})


def _front_matter(data: Mapping[str, object]) -> str:
    # default_style stays plain, but the dumper quotes words that YAML 1.1 reads as booleans (no, on).
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=4096)
    return f"---\n{text}---\n"


def _suggested(release: Release) -> ModelFile | None:
    """The file that the card's command runs: of the quantized ones that passed the smoke test the one with the lowest
    loss, else the reference. None if no file passed: such a file is never recommended."""
    passed = [file for file in release.files if file.smoke_passed]
    quants = [file for file in passed if file is not release.files[0]] or passed
    return min(quants, key=lambda file: file.loss.kld_mean_nats if file.loss else 0.0, default=None)


def _memory(file: ModelFile, context_tokens: int) -> str:
    need = next((need.bytes for need in file.memory if need.context_tokens == context_tokens), None)
    return data_size(need) if need is not None else ""


def _speed(file: ModelFile) -> str:
    valid = [speed.decode_tokens_per_second for speed in file.speeds if speed.valid]
    return rate(max(valid)) if valid else "no valid measurement"


def _ppl(part: HeldOut) -> str:
    return f"{part.perplexity:.4g} ± {part.perplexity_se:.2g}"


def _kld(part: HeldOut) -> str:
    if part.kld_mean_nats is None:
        return "not measured"
    return f"{part.kld_mean_nats:.3f} ± {part.kld_mean_se_nats or 0:.3f}"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(site_folder() / "templates" / "cards"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # this is Markdown: escape_markdown does it
    )
    environment.filters |= {
        "md": escape_markdown,
        "bits_of": bits_of,
        "reference_words": reference_words,
        "data_size": data_size,
        "memory": _memory,
        "speed": _speed,
        "ppl": _ppl,
        "kld": _kld,
    }
    return environment


def template_texts() -> list[tuple[str, str]]:
    """(name, text) of every card template, sorted; part of a release's identity."""
    folder = site_folder() / "templates" / "cards"
    return [(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.j2"))]
