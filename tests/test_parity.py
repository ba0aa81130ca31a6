"""The parity check on a real pair of folder and file, and on files that were broken on purpose."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import GateRefused, ModelFileError
from zoo.llama import parity as file_side
from zoo.llama.header import read_header, rewrite_header
from zoo.llama.parity import FileSeen
from zoo.parity.compare import BOUNDS, CHECKS, Check, compare, end_of_turn, logits, template, tokenizer
from zoo.parity.material import CONVERSATIONS, MOST_TOKENS, STRINGS, TEXTS
from zoo.parity.parameters import first_difference
from zoo.parity.seen import Generated, Parameter, Rendering, Seen
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages import parity as stage
from zoo.workspace import Artifact, records

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A GGUF with SmolLM2's tokenizer, cut short, and the folder that is imported from it."""
    from zoo.training.importing import import_model

    base = tmp_path_factory.mktemp("parity")
    file = make_tiny_gguf(base / "model.gguf")
    import_model(file, base / "model", Silent())
    return base / "model", file


@pytest.fixture(scope="module")
def folder(pair: tuple[Path, Path]) -> Seen:
    from zoo.training.parity import look

    return look(pair[0], threads=1)


def look(path: Path, folder: Seen) -> FileSeen:
    return file_side.look(path, folder.texts, threads=1)


def checks(path: Path, folder: Seen) -> dict[str, Check]:
    found = look(path, folder)
    return {check.name: check for check in compare(folder, found.seen, "f16", found.generated)}


def changed(pair: tuple[Path, Path], target: Path, **changes: Any) -> Path:
    rewrite_header(pair[1], target, {key.replace("__", "."): value for key, value in changes.items()})
    return target


def test_a_folder_and_its_file_agree(pair: tuple[Path, Path], folder: Seen) -> None:
    found = checks(pair[1], folder)
    assert all(check.passed for check in found.values()), found
    assert f"{len(STRINGS)} strings give the same tokens" in found["tokenizer"].detail
    assert "each decodes to itself" in found["tokenizer"].detail
    assert "8 of 8 renderings are equal" in found["template"].detail
    assert template(folder.renderings, look(pair[1], folder).own).passed


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"tokenizer__ggml__pre": "default"}, "tokenizer", "String 2 "),
        ({"tokenizer__ggml__add_bos_token": True}, "tokenizer", "with its markers, token 0: "),
        ({"tokenizer__chat_template": None}, "template", "cannot be rendered by llama.cpp only"),
        ({"tokenizer__chat_template": "{{ messages[0].content }}"}, "template", "Conversation 1, byte 0: "),
    ],
)
def test_a_broken_file_is_told_with_the_first_difference(
    changes: dict[str, Any], check: str, words: str, pair: tuple[Path, Path], folder: Seen, tmp_path: Path
) -> None:
    found = checks(changed(pair, tmp_path / "broken.gguf", **changes), folder)
    assert not found[check].passed and words in found[check].detail
    # The logits are compared on the same ids, whatever the tokenizer; a template also ends turns.
    assert {name for name, one in found.items() if not one.passed} - {"end_of_turn"} == {check}


def test_the_long_text_reaches_far(folder: Seen) -> None:
    assert [len(ids) for ids in folder.texts][-1] == MOST_TOKENS


def test_a_generation_that_must_write_the_end_of_a_turn_stops_there(
    pair: tuple[Path, Path], folder: Seen, tmp_path: Path
) -> None:
    good = look(pair[1], folder).generated
    assert good is not None and good.stopped and good.written == 0
    assert checks(pair[1], folder)["end_of_turn"].detail.endswith("'<|im_end|>' stopped there.")
    template_ = str(read_header(pair[1]).metadata["tokenizer.chat_template"])
    endless = template_.replace("<|im_end|>", "<jupyter_text>")
    other = changed(pair, tmp_path / "b.gguf", tokenizer__chat_template=endless)
    bad = look(other, folder).generated
    assert bad is not None and not bad.stopped and bad.written == len(bad.forced) >= 1
    assert "forced upon it, and it stopped at none" in checks(other, folder)["end_of_turn"].detail


def test_an_unknown_pre_tokenizer_does_not_load(
    pair: tuple[Path, Path], folder: Seen, tmp_path: Path
) -> None:
    broken = changed(pair, tmp_path / "broken.gguf", tokenizer__ggml__pre="nonsense")
    with pytest.raises(ModelFileError, match="unknown pre-tokenizer type: 'nonsense'"):
        look(broken, folder)


def test_without_single_digits_the_imported_tokenizer_would_differ(pair: tuple[Path, Path]) -> None:
    """transformers does not look at tokenizer.ggml.pre; the import does."""
    from zoo.training.models import load_tokenizer

    assert read_header(pair[1]).metadata["tokenizer.ggml.pre"] == "smollm"
    cut = load_tokenizer(pair[0]).backend_tokenizer.pre_tokenizer.pre_tokenize_str("a ١٢")
    assert len(cut) == 4


# --- Pure

ROWS = np.tile(np.arange(8, dtype=np.float32), (2, 1))

def seen(side: str = "transformers", **changes: Any) -> Seen:
    base = Seen(
        side=side,
        tokens=[[1, 2]] * len(STRINGS),
        whole=[[0, 1, 2]] * len(STRINGS),
        decoded=[text.encode() for text in STRINGS],
        texts=[[5, 6]] * len(TEXTS),
        logits=[ROWS] * len(TEXTS),
        renderings=[Rendering("text")] * 2 * len(CONVERSATIONS),
        parameters={},
        ends=frozenset({7}),
        name_of=lambda token: f"<{token}>",
    )
    return dataclasses.replace(base, **changes)


FILE = seen("the GGUF file")


def test_the_first_differing_token_and_its_position_are_named() -> None:
    other = seen("the GGUF file", tokens=[[1, 2], [1, 3], *[[1, 2]] * (len(STRINGS) - 2)])
    found = tokenizer(seen(), other)
    assert not found.passed
    assert (
        "String 2 (" in found.detail
        and "token 1: 2 '<2>' in transformers, 3 '<3>' in the GGUF file" in found.detail
    )
    shorter = seen("the GGUF file", tokens=[[1], *[[1, 2]] * (len(STRINGS) - 1)])
    assert (
        "token 1: 2 '<2>' in transformers, nothing more in the GGUF file" in tokenizer(seen(), shorter).detail
    )


def test_bytes_that_do_not_come_back() -> None:
    decoded = [b"?" + FILE.decoded[0][1:], *FILE.decoded[1:]]
    assert (
        "other bytes from byte 0 on" in tokenizer(seen(), dataclasses.replace(FILE, decoded=decoded)).detail
    )
    both = seen(decoded=decoded)
    alike = tokenizer(both, dataclasses.replace(FILE, decoded=decoded))
    assert alike.passed and "1 do not decode to themselves, on both sides alike" in alike.detail


def test_the_first_position_of_wrong_logits() -> None:
    rows = ROWS.copy()
    rows[1, 3] = 9
    wrong = [*FILE.logits[:1], rows, *FILE.logits[2:]]
    detail = logits(seen(), dataclasses.replace(FILE, logits=wrong), BOUNDS["f16"]).detail
    assert detail.startswith("Text 2, token 1 (6 '<6>'): the logits are apart by a share of 0.87, ")
    assert "7 '<7>' in transformers, 3 '<3>' in the GGUF file" in detail
    rows[1, 3] = np.nan
    assert not logits(seen(), dataclasses.replace(FILE, logits=wrong), BOUNDS["f16"]).passed
    small = [np.zeros((2, 7), dtype=np.float32)] * len(TEXTS)
    assert "8 and 7 tokens" in logits(seen(), dataclasses.replace(FILE, logits=small), BOUNDS["f16"]).detail


def test_many_small_differences_are_refused_too() -> None:
    rows = ROWS.copy()
    rows[:, 3] += 0.03
    alike = dataclasses.replace(FILE, logits=[rows] * len(TEXTS))
    assert logits(seen(), alike, BOUNDS["bf16"]).passed
    found = logits(seen(), alike, BOUNDS["f16"])
    assert found.detail.startswith("Text 1, token 0 (5 '<5>'): ") and "allowed on average" in found.detail
    shifted = dataclasses.replace(FILE, logits=[ROWS + 5] * len(TEXTS))
    assert logits(seen(), shifted, BOUNDS["f16"]).passed, "softmax does not see what all logits have more"


def test_a_parameter_that_differs_is_named_on_both_sides() -> None:
    ours = {"a": Parameter("one", 1e-5), "b": Parameter("rope_type", "linear"), "c": Parameter("only here", 3)}
    theirs = {"a": Parameter("llama.one", 9.99999e-6), "b": Parameter("llama.rope.scaling.type", "none")}
    assert "rope_type is linear in the folder, llama.rope.scaling.type is none" in str(first_difference(ours, theirs))
    assert first_difference(ours, {**theirs, "b": Parameter("x", "linear")}) is None
    assert "one is 1e-05 in the folder" in str(first_difference(ours, {"a": Parameter("llama.one", 1e-6)}))


def test_both_may_refuse_a_conversation() -> None:
    none = [Rendering(None, "no system"), *[Rendering("text")] * (2 * len(CONVERSATIONS) - 1)]
    assert template(none, none).passed and "7 of 8" in template(none, none).detail
    assert "by transformers only: no system" in template(none, FILE.renderings).detail
    assert (
        "byte 3: b't' in transformers, b'' in llama.cpp"
        in template(FILE.renderings, [Rendering("tex"), *FILE.renderings[1:]]).detail
    )


def test_the_end_of_a_turn_stops() -> None:
    assert end_of_turn(seen(), FILE, Generated((7, 1), 0, True)).passed
    assert "had to write 7 '<7>' stopped there" in end_of_turn(seen(), FILE, Generated((1, 7), 1, True)).detail
    assert end_of_turn(seen(), FILE, None).passed
    goes_on = end_of_turn(seen(), FILE, Generated((1, 2), 2, False))
    assert "ends an answer with 1 '<1>', after which llama.cpp goes on: 2 tokens" in goes_on.detail
    assert "with nothing, after" in end_of_turn(seen(), FILE, Generated((), 0, False)).detail
    no_end = end_of_turn(seen(), dataclasses.replace(FILE, ends=frozenset()), Generated((7,), 0, True))
    assert "transformers stops after 7 '<7>', the GGUF file goes on" in no_end.detail


# --- The stage


def context(pair: tuple[Path, Path], file: Path, out: Path, allow: tuple[str, ...] = ()) -> Context:
    out.mkdir()
    (out.parent / "file").mkdir(exist_ok=True)
    placed = out.parent / "file" / "model.gguf"
    placed.write_bytes(file.read_bytes())
    inputs = {
        role: Artifact(role, "k", folder, records(folder), {})
        for role, folder in (("weights", pair[0]), ("model", placed.parent))
    }
    spec = {"type": "f16", "allow": list(allow)}
    return Context(spec, inputs, out, out, out, out, 1, "cpu", Silent())


def test_the_stage_refuses_a_release_and_can_be_told_not_to(pair: tuple[Path, Path], tmp_path: Path) -> None:
    made = stage.run(context(pair, pair[1], tmp_path / "good"))
    assert [check["name"] for check in made["checks"]] == list(CHECKS)
    assert all(check["passed"] for check in made["checks"]) and (tmp_path / "good" / "parity.json").is_file()
    broken = changed(pair, tmp_path / "broken.gguf", tokenizer__ggml__add_bos_token=True)
    with pytest.raises(GateRefused, match="tokenizer: String 1 ") as refused:
        stage.run(context(pair, broken, tmp_path / "bad"))
    assert refused.value.exit_code == 3 and not (tmp_path / "bad" / "parity.json").exists()
    allowed = stage.run(context(pair, broken, tmp_path / "allowed", ("tokenizer",)))
    assert next(check for check in allowed["checks"] if not check["passed"])["allowed"]
