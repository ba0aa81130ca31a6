"""Licences with their own requirements: what a recipe must have, and what card and page then show."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from recipesamples import PLAIN, TUTORED
from sitesamples import sample
from test_cards import SPLITS

from catalog import hublists, licences, terms
from catalog.checks import CheckedRecipe
from catalog.release import Terms, bits_of
from zoo.plan.store import Workspace
from zoo.release import cards, record
from zoo.release.material import Material
from zoo.site.pages.links import licence_url

Check = Callable[..., CheckedRecipe]
KINDS = sorted(terms.KINDS)


def agreement(kind: terms.Kind) -> str:
    """The least text that counts as a copy."""
    return f"{kind.title.upper()}\r\n\r\nBy using it, you agree to be  bound\nby this Agreement.\n"


def write(zoo: Path, name: str, text: str) -> str:
    path = zoo / "licences" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return f"licences/{name}"


def complete(zoo: Path, kind: terms.Kind, base: str = PLAIN) -> dict[str, Any]:
    """A recipe that has everything that ``kind`` requires."""
    recipe: dict[str, Any] = yaml.safe_load(base)
    name = f"{kind.name_begins or 'my'}-{recipe['name']}".lower().replace(" ", "-")
    recipe |= {
        "name": name,
        "date": "2026-11-22",
        "licence": kind.licence,
        "licence_files": [
            write(zoo, "LICENSE", agreement(kind)),
            write(zoo, "NOTICE.txt", f"\ufeffOf the weights:\n{kind.notice}\n"),
            write(zoo, "USE_POLICY.md", "# Policy\n"),
        ],
    }
    recipe["student"]["licence"] = kind.licence
    recipe["publish"]["model"] = f"{name}-gguf"
    return recipe


def told(check: Check, recipe: dict[str, Any]) -> list[tuple[str, str, str]]:
    checked = check(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), recipe["name"])
    return [(problem.path, problem.what, problem.instead) for problem in checked.problems]


def test_the_table_names_what_the_hub_knows() -> None:
    assert len(KINDS) == 7
    for kind in terms.KINDS.values():
        assert licences.hub_identifier(kind.licence) in hublists.licences() and licences.canonical(kind.licence)
        assert kind.source.startswith("https://") and kind.use_policy.startswith("https://")
        assert kind.title == kind.title.lower() and terms.AGREED not in kind.notice.lower()
    llama = terms.KINDS["LicenseRef-Llama-3.2"]
    assert llama.notice == (
        "Llama 3.2 is licensed under the Llama 3.2 Community License, "
        "Copyright \u00a9 Meta Platforms, Inc. All Rights Reserved."
    )
    assert (llama.display, llama.name_begins) == ("Built with Llama", "Llama")
    assert llama.use_policy == "https://www.llama.com/llama3_2/use-policy/"
    assert terms.KINDS["LicenseRef-Llama-2"].display is None


@pytest.mark.parametrize("licence", KINDS)
def test_a_recipe_with_all_that_is_asked_passes(check_text: Check, zoo_folder: Path, licence: str) -> None:
    assert told(check_text, complete(zoo_folder, terms.KINDS[licence])) == []


@pytest.mark.parametrize("licence", KINDS)
def test_every_demand_is_named_with_what_to_do(check_text: Check, zoo_folder: Path, licence: str) -> None:
    kind = terms.KINDS[licence]
    recipe = complete(zoo_folder, kind)
    recipe |= {"licence": "Apache-2.0", "licence_files": [], "name": "my-plain"}
    recipe["publish"]["model"] = "my-plain-gguf"
    found = told(check_text, recipe)
    asked = " ".join(what + instead for _, what, instead in found)
    assert "also applies to the release" in asked and "a copy of its terms" in asked and kind.source in asked
    assert kind.notice.rstrip(".") in asked
    named = [path for path, what, _ in found if "requires a name that begins" in what]
    assert named == (["name", "publish.model"] if kind.name_begins else [])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"LICENSE": "Gemma Terms of Use: see the address.\n"}, "a copy of its terms"),
        ({"NOTICE.txt": "Gemma is a model of Google.\n"}, "a notice file with its sentence"),
        ({"NOTICE.txt": "\u200b \n"}, "has no text"),
    ],
)
def test_a_text_that_says_less_is_not_enough(
    check_text: Check, zoo_folder: Path, change: dict[str, str], what: str
) -> None:
    recipe = complete(zoo_folder, terms.KINDS["LicenseRef-Gemma"])
    for name, text in change.items():
        write(zoo_folder, name, text)
    ((path, said, _),) = told(check_text, recipe)
    assert what in said and path.startswith("licence_files")


def test_a_copy_that_is_not_the_terms_is_named_with_the_words_that_it_lacks(
    check_text: Check, zoo_folder: Path
) -> None:
    recipe = complete(zoo_folder, terms.KINDS["LicenseRef-Gemma"])
    write(zoo_folder, "LICENSE", "Gemma Terms of Use: see the address.\n")
    ((_, said, instead),) = told(check_text, recipe)
    assert '"LICENSE" is not that' in said and "NOTICE" not in said
    assert terms.AGREED in instead and "gemma terms of use" in instead
    recipe["licence_files"] = [name for name in recipe["licence_files"] if "NOTICE" in name]
    ((_, said, instead),) = told(check_text, recipe)
    assert "is not that" not in said and terms.AGREED not in instead


def test_a_saved_page_is_a_copy_of_the_terms(check_text: Check, zoo_folder: Path) -> None:
    kind = terms.KINDS["LicenseRef-Gemma"]
    recipe = complete(zoo_folder, kind)
    page = "<html><h1>Gemma <b>Terms</b> of&nbsp;Use</h1><p>you agree to be <i>bound</i> by this Agreement.</p></html>"
    recipe["licence_files"][0] = write(zoo_folder, "GEMMA_TERMS.html", page)
    assert told(check_text, recipe) == []


def test_a_notice_in_another_file_is_not_one(check_text: Check, zoo_folder: Path) -> None:
    recipe = complete(zoo_folder, terms.KINDS["LicenseRef-Gemma"])
    recipe["licence_files"].remove("licences/NOTICE.txt")
    write(zoo_folder, "LICENSE", agreement(terms.KINDS["LicenseRef-Gemma"]) + terms.KINDS["LicenseRef-Gemma"].notice)
    ((_, said, _),) = told(check_text, recipe)
    assert "a notice file" in said


def test_signs_that_editors_change_make_no_difference(check_text: Check, zoo_folder: Path) -> None:
    kind = terms.KINDS["LicenseRef-Llama-3.2"]
    recipe = complete(zoo_folder, kind)
    write(zoo_folder, "NOTICE.txt", kind.notice.replace("\u00a9", "(c)").replace(" ", "\u00a0\r\n"))
    assert told(check_text, recipe) == []


def test_a_teacher_passes_its_terms_on(check_text: Check, zoo_folder: Path) -> None:
    kind = terms.KINDS["LicenseRef-Llama-3.3"]
    recipe = complete(zoo_folder, kind, TUTORED)
    recipe["student"]["licence"], recipe["teacher"]["licence"] = "Apache-2.0", kind.licence
    recipe["licence"] = f"{kind.licence} AND Apache-2.0"
    assert told(check_text, recipe) == []
    recipe["licence"] = "Apache-2.0"
    ((path, what, _),) = told(check_text, recipe)
    assert path == "licence" and what.startswith("the teacher's licence LicenseRef-Llama-3.3 also applies")


@pytest.mark.parametrize(("student", "passes"), [("Apache-2.0", False), ("LicenseRef-Llama-3", True)])
def test_answers_that_may_not_improve_others(
    check_text: Check, zoo_folder: Path, student: str, passes: bool
) -> None:
    kind = terms.KINDS["LicenseRef-Llama-3"]
    recipe = complete(zoo_folder, kind, TUTORED)
    recipe["student"]["licence"], recipe["teacher"]["licence"] = student, kind.licence
    recipe["licence"] = kind.licence if passes else f"{kind.licence} AND Apache-2.0"
    found = told(check_text, recipe)
    assert [path for path, _, _ in found] == ([] if passes else ["teacher.licence"])


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (["../LICENSE"], "the path leads outside its folder"),
        (["licences/none/LICENSE"], "does not exist"),
        (["licences/README.md"], '"README.md" is not the name of a licence text'),
        (["licences/LICENSE.exe"], '"LICENSE.exe" is not the name of a licence text'),
        (["licences/LICENSE", "licences/other/license"], 'two files would be called "license"'),
        (["licences/LICENSE", "licences/LICENSE"], "twice"),
        (["licences/NOTICE-latin1"], '"licences/NOTICE-latin1": not UTF-8 text'),
        (["licences/NOTICE"], '"licences/NOTICE": the file is compressed with gzip, not plain text'),
    ],
)
def test_names_and_bytes_of_the_files(check_text: Check, zoo_folder: Path, files: list[str], what: str) -> None:
    for name in ("LICENSE", "README.md", "LICENSE.exe"):
        write(zoo_folder, name, "words\n")
    (zoo_folder / "licences" / "other").mkdir()
    (zoo_folder / "licences" / "other" / "license").write_text("words\n", encoding="utf-8")
    (zoo_folder / "licences" / "NOTICE-latin1").write_bytes(b"caf\xe9\n")
    (zoo_folder / "licences" / "NOTICE").write_bytes(gzip.compress(b"words\n"))
    recipe = yaml.safe_load(PLAIN) | {"date": "2026-11-22", "licence_files": files}
    assert any(what in said for _, said, _ in told(check_text, recipe))


@pytest.mark.parametrize("name", ["LICENCE.txt", "NOTICE", "USE_POLICY.md", "LICENSE-3.2", "TERMS.html"])
def test_usual_names_pass(check_text: Check, zoo_folder: Path, name: str) -> None:
    recipe = yaml.safe_load(PLAIN) | {"date": "2026-11-22", "licence_files": [write(zoo_folder, name, "words\n")]}
    assert told(check_text, recipe) == []


def test_a_licence_that_the_hub_has_no_word_for(check_text: Check) -> None:
    own = {"licence": "LicenseRef-Mine", "licence_name": "Mine 1.0", "licence_link": "https://example.org/mine"}
    recipe = yaml.safe_load(PLAIN) | {"date": "2026-11-22"}
    assert told(check_text, recipe | own) == []
    ((path, what, _),) = told(check_text, recipe | {"licence_name": "Apache"})
    assert path == "licence_name" and "needs no other name" in what
    assert told(check_text, recipe | {"licence_link": "javascript:alert(1)"})


# --- Card and page


def release_with(**changes: Any) -> Any:
    return dataclasses.replace(sample().models[0].releases[0], **changes)


def card_of(check_text: Check, **changes: Any) -> tuple[dict[str, Any], str]:
    recipe = check_text(PLAIN).recipe
    assert recipe
    text = cards.model_card(recipe, sample().models[0], release_with(**changes), "local")
    data, problems = cards.read_card(text, "README.md", "model")
    assert problems == []
    return data, text


def test_the_card_shows_what_the_licence_requires(check_text: Check) -> None:
    files = ("LICENSE", "NOTICE", "USE_POLICY.md")
    found = Terms(None, None, "Built with Llama", ("https://www.llama.com/llama3_2/use-policy/",), files)
    data, text = card_of(check_text, terms=found, licence="LicenseRef-Llama-3.2")
    assert (data["license"], data["license_link"]) == ("llama3.2", "LICENSE") and "license_name" not in data
    for words in ("**Built with Llama**", "<https://www.llama.com/llama3_2/use-policy/>", "[NOTICE](NOTICE)",
                  r"[USE\_POLICY.md](USE_POLICY.md)", "not the original weights"):  # fmt: skip
        assert words in text


def test_the_card_names_a_licence_of_its_own(check_text: Check) -> None:
    found = Terms("Mine 1.0", "https://example.org/mine", None, (), ())
    data, text = card_of(check_text, terms=found, licence="LicenseRef-Mine")
    assert (data["license"], data["license_name"], data["license_link"]) == (
        "other", "Mine 1.0", "https://example.org/mine",
    )  # fmt: skip
    assert "Licensed under Mine 1.0 (<https://example.org/mine>)" in text


def test_the_card_says_that_the_source_was_quantized(check_text: Check) -> None:
    _, text = card_of(check_text, quantized_source="Q4_K_M")
    assert r"weights have 4 bits (Q4\_K\_M)" in text
    _, text = card_of(check_text)
    assert "already quantized" not in text and "## Licence" not in text
    assert [bits_of(name) for name in ("Q4_1", "IQ1_S", "fp8", "mystery")] == [
        "4 bits (Q4_1)", "1 bit (IQ1_S)", "8 bits (fp8)", "mystery",
    ]  # fmt: skip


def test_the_dataset_card_names_the_teachers_texts(check_text: Check, zoo_folder: Path) -> None:
    kind = terms.KINDS["LicenseRef-Llama-3.3"]
    wanted = complete(zoo_folder, kind, TUTORED)
    wanted["teacher"]["licence"] = kind.licence
    recipe = check_text(yaml.safe_dump(wanted), wanted["name"]).recipe
    assert recipe
    own = Terms(None, None, kind.display, (kind.use_policy,), ("LICENSE", "NOTICE.txt"))
    release = dataclasses.replace(sample().models[1].releases[0], terms=own)
    text = cards.dataset_card(recipe, sample().models[1], release, "local", SPLITS, [])
    assert cards.read_card(text, "README.md", "dataset")[1] == []
    assert "Keep its texts with this data:\n[LICENSE](LICENSE), [NOTICE.txt](NOTICE.txt)." in text


def test_addresses_of_licences_are_linked_only_if_they_are_of_the_web() -> None:
    assert licence_url("https://ai.google.dev/gemma/terms") == "https://ai.google.dev/gemma/terms"
    for address in (None, "", "javascript:alert(1)", "https://a b", 'https://a"b', "https://a<b"):
        assert licence_url(address) is None


@pytest.mark.parametrize("quantized", ["Q4_K", None])
def test_the_release_says_what_the_import_step_found(tmp_path: Path, quantized: str | None) -> None:
    workspace = Workspace(tmp_path)
    out = workspace.partial("k" * 64) / "out"
    out.mkdir(parents=True)
    (out / "source.json").write_text(json.dumps({"quantized": quantized}), encoding="utf-8")
    made = workspace.finish("k" * 64, "import", out, {}, {})
    material = cast(Material, SimpleNamespace(artifacts={"import/student": made}))
    assert record._quantized(material) == quantized
