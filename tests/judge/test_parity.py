"""The parity check on a real pair of folder and file, and on files that were broken on purpose."""

from __future__ import annotations

import dataclasses
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from catalog import schema
from zoo.errors import GateRefused, ModelFileError
from zoo.files.listing import records
from zoo.gguf.header import read_header, rewrite_header
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.agreement import logits
from zoo.judge.parity.check import MOST_LETTERS, Check, known_differences
from zoo.judge.parity.compare import CHECKS, Stated, compare, end_of_turn, template
from zoo.judge.parity.distance import CAP, engine_allowance, figures, own_noise, relative_errors
from zoo.judge.parity.material import CONVERSATIONS, MOST_TOKENS, STRINGS, TEXTS
from zoo.judge.parity.parameters import first_difference
from zoo.judge.parity.seen import NO_TEMPLATE, Cut, Generated, Normalizer, Parameter, Rendering, Seen, Taken
from zoo.judge.parity.tokens import tokenizer
from zoo.llama.measure import parity as file_side
from zoo.llama.measure.parity import FileSeen
from zoo.llama.measure.widened import exact_logits, longest_row
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages import parity as stage
from zoo.stages.artifact import Artifact

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A GGUF with SmolLM2's shortened tokenizer, and the folder that is imported from it."""
    from zoo.training.importing import import_model

    base = tmp_path_factory.mktemp("parity")
    file = make_tiny_gguf(base / "model.gguf")
    import_model(file, base / "model", Silent())
    return base / "model", file


@pytest.fixture(scope="module")
def folder(pair: tuple[Path, Path]) -> Seen:
    from zoo.training.parity import look

    return look(pair[0], "f16", threads=1)


def look(path: Path, folder: Seen) -> FileSeen:
    return file_side.look(path, folder.texts, threads=1)


def checks(path: Path, folder: Seen) -> dict[str, Check]:
    found = look(path, folder)
    exact = exact_logits(path, folder.texts, path.parent, threads=1)
    apart = [relative_errors(ours, theirs) for ours, theirs in zip(folder.logits, exact, strict=True)]
    row, facts = longest_row(path), vocabulary_facts(path)
    stated = Stated(None, facts)
    made = compare(folder, found.seen, exact=apart, longest_row=row, generated=found.generated, stated=stated)
    return {check.name: check for check in made}


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
def test_a_broken_file_is_reported_with_the_first_difference(
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
    assert "tokens and stopped at none" in checks(other, folder)["end_of_turn"].detail
    assert bad.strange == ()
    strange = changed(
        pair, tmp_path / "c.gguf", tokenizer__chat_template=template_.replace("<|im_end|>", "<|end_of_text|>")
    )
    said = checks(strange, folder)["end_of_turn"].detail
    assert "ends an answer with <|end_of_text|>, which is not a token of this vocabulary" in said


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
NOISE = [np.full(2, 0.001)] * len(TEXTS)
CUT = Cut([[1, 2]] * len(STRINGS), [[0, 1, 2]] * len(STRINGS), [text.encode() for text in STRINGS])


def cut(**changes: Any) -> Cut:
    return dataclasses.replace(CUT, **changes)


def seen(side: str = "transformers", **changes: Any) -> Seen:
    base = Seen(
        side=side,
        cut=CUT,
        texts=[[5, 6]] * len(TEXTS),
        logits=[ROWS] * len(TEXTS),
        renderings=[Rendering("text")] * 2 * len(CONVERSATIONS),
        parameters={},
        ends=frozenset({7}),
        name_of=lambda token: f"<{token}>",
        noise=NOISE,
    )
    return dataclasses.replace(base, **changes)


FILE = seen("the GGUF file")


def test_the_first_differing_token_and_its_position_are_named() -> None:
    other = seen("the GGUF file", cut=cut(tokens=[[1, 2], [1, 3], *[[1, 2]] * (len(STRINGS) - 2)]))
    found = tokenizer(seen(), other)
    assert not found.passed
    assert (
        "String 2 (" in found.detail
        and "token 1: 2 '<2>' in transformers, 3 '<3>' in the GGUF file" in found.detail
    )
    shorter = seen("the GGUF file", cut=cut(tokens=[[1], *[[1, 2]] * (len(STRINGS) - 1)]))
    assert (
        "token 1: 2 '<2>' in transformers, nothing more in the GGUF file" in tokenizer(seen(), shorter).detail
    )


def test_bytes_that_do_not_come_back() -> None:
    lossy = cut(decoded=[b"?" + CUT.decoded[0][1:], *CUT.decoded[1:]])
    assert "other bytes from byte 0 on" in tokenizer(seen(), dataclasses.replace(FILE, cut=lossy)).detail
    alike = tokenizer(seen(cut=lossy), dataclasses.replace(FILE, cut=lossy))
    assert alike.passed and "1 do not decode to themselves, on both sides alike" in alike.detail


@pytest.mark.parametrize(
    ("kinds", "without", "of_normalized", "passed", "words"),
    [
        (("NFC",), [9, 2], [1, 2], True, "Nothing else differs: 1 of "),
        (("NFC",), [9, 9], [1, 2], False, "token 0: 1 '<1>' in transformers, 9 '<9>'"),
        (("NFC",), [9, 2], [9, 2], False, "token 0: 1 '<1>' in transformers, 9 '<9>'"),
        (("NFC", "Lowercase"), [9, 2], [1, 2], False, "It changes letters of ordinary text. String 5 ("),
    ],
)
def test_only_a_harmless_normalizer_that_is_shown_to_be_all_passes(
    kinds: tuple[str, ...], without: list[int], of_normalized: list[int], passed: bool, words: str
) -> None:
    """String 5 is 1, 2 in the folder and 9, 2 in the file."""

    def fifth(ids: list[int]) -> Cut:
        return cut(tokens=[*CUT.tokens[:4], ids, *CUT.tokens[5:]])

    texts = (*STRINGS[:4], "composed", *STRINGS[5:])
    folder = seen(normalizer=Normalizer(kinds, texts, fifth(without)))
    file = dataclasses.replace(FILE, cut=fifth([9, 2]), of_normalized=fifth(of_normalized))
    found = tokenizer(folder, file)
    assert found.passed == passed and words in found.detail
    assert found.outcome(allowed=False) == ("reported" if passed else "refused")
    assert ("combining accents" in found.note) == passed
    assert tokenizer(folder, dataclasses.replace(FILE, of_normalized=CUT)).note == ""


def test_a_token_that_llama_cpp_knows_by_its_text_is_reported_and_excuses_nothing_else() -> None:
    """Qwen's vocabulary has an ordinary token </s>, which llama.cpp treats as an end of turn."""
    plain, controlled = cut(), cut()
    taken = Taken(("</s>",), dataclasses.replace(controlled, tokens=[[7], *controlled.tokens[1:]]), None)
    file = seen("the GGUF file", cut=taken.cut, by_sight=("</s>",))
    found = tokenizer(seen(cut=plain, taken=taken), file)
    assert found.passed and "'</s>' must be a control token" in found.detail
    assert "takes </s> for a control token" in found.note
    assert not tokenizer(seen(cut=plain), file).passed
    other = dataclasses.replace(file, cut=dataclasses.replace(taken.cut, tokens=[[8], *plain.tokens[1:]]))
    refused = tokenizer(seen(cut=plain, taken=taken), other)
    assert not refused.passed and not refused.note and "token 0" in refused.detail


def test_both_excuses_together_are_both_reported() -> None:
    composed = tuple(unicodedata.normalize("NFC", text) for text in STRINGS)
    controlled = dataclasses.replace(cut(), tokens=[[7], *cut().tokens[1:]])
    without = dataclasses.replace(controlled, tokens=[[7], [9], *controlled.tokens[2:]])
    taken = Taken(("</s>",), controlled, Normalizer(("NFC",), composed, without))
    file = seen("the GGUF file", cut=without, of_normalized=controlled, by_sight=("</s>",))
    found = tokenizer(seen(taken=taken), file)
    assert found.passed and "</s>" in found.note and "U+0301" in found.note


def judged(*ratios: float, exact: float = 0.0, row: int = 16) -> Check:
    """Both positions of every text, the file as it is stored; ``exact``: every ratio in float32."""
    rows = [ROWS.copy() for _ in TEXTS]
    unit = 0.001 * np.sqrt(8 / 7) * np.sqrt(np.square(ROWS[0] - 3.5).mean()) * np.sqrt(8)
    for number, ratio in enumerate(ratios):
        rows[number // 2][number % 2, 3] += ratio * unit
    apart = [np.full(2, exact * 0.001)] * len(TEXTS)
    return logits(seen(), dataclasses.replace(FILE, logits=rows), apart, row)


def test_positions_are_judged_by_their_own_noise() -> None:
    found = judged(1, 0.5, exact=0.5)
    assert found.passed and found.figures["stored"]["worst"]["distance"] == pytest.approx(0.001, rel=0.01)
    assert found.figures["float32"]["mean_ratio"] == 0.5 and found.figures["stored"]["allowance"] == 2
    assert not judged(exact=1.1).passed and not judged(*[3] * 8, row=16).passed
    assert judged(*[3] * 8, row=160).passed, "an engine that adds up many products in f16 may be farther"


def test_a_knife_edge_counts_by_its_own_noise_and_a_share_of_bad_positions_refuses() -> None:
    many = [np.full(500, 0.001) for _ in TEXTS]
    apart = [np.full(500, 0.0005) for _ in TEXTS]
    apart[1][7] = 0.5
    assert figures(apart, many).sound, "one position of 2000"
    apart[1][:30] = 0.5
    assert not figures(apart, many).sound, "the mean is small, the share is not"
    many[1][:30] = 0.4
    assert figures(apart, many).sound, "positions whose logits move as much in the folder itself"
    assert not figures([*apart[:3], np.full(500, 0.002)], many).sound, "one text in four"


def test_noise_that_is_nought_or_no_number() -> None:
    nothing, nan = [np.zeros(2)], [np.full(2, np.nan)]
    assert figures(nothing, nothing).sound and figures(nothing, nan).sound
    assert not figures(nan, nothing).sound and not figures(nan, nan).sound
    assert own_noise([np.array([3.0, np.inf]), np.array([4.0, 1.0])]) == pytest.approx([12.5**0.5, 0.5**0.5])
    assert not figures([np.full(2, 1e-2)], nothing).sound
    assert engine_allowance(8) == 2 and engine_allowance(1536) == pytest.approx(14.3, abs=0.1)


def test_the_worst_position_of_wrong_logits() -> None:
    rows = ROWS.copy()
    rows[1, 3] = 9
    wrong = [*FILE.logits[:1], rows, *FILE.logits[2:]]
    good = [np.zeros(2)] * len(TEXTS)
    found = logits(seen(), dataclasses.replace(FILE, logits=wrong), good, 16)
    assert found.detail.startswith("Text 2, token 1 (6 '<6>'): the logits differ by 87 %, while ")
    assert "7 '<7>' in transformers, 3 '<3>' in the GGUF file" in found.detail
    assert f"more than {2 * CAP:.2g} times" in found.detail and found.figures["float32"]["mean_ratio"] == 0
    assert "the logits differ by 1 times what rounding does (4 times in" in found.detail
    every = dataclasses.replace(FILE, logits=[-one for one in FILE.logits])
    capped = logits(seen(), every, good, 16).detail
    assert "by more than 8 times what rounding does (more than 8 times in the worst text" in capped
    assert "the logits differ by 200 %" in capped and "100 % of the positions" in capped
    rows[1, 3] = np.nan
    unsound = logits(seen(), dataclasses.replace(FILE, logits=wrong), good, 16)
    assert not unsound.passed and "the logits differ by an infinite amount" in unsound.detail
    small = [np.zeros((2, 7), dtype=np.float32)] * len(TEXTS)
    other = logits(seen(), dataclasses.replace(FILE, logits=small), [], 16).detail
    assert "8 tokens in the folder and 7 in the file" in other
    shifted = dataclasses.replace(FILE, logits=[ROWS + 5] * len(TEXTS))
    assert logits(seen(), shifted, good, 16).passed, "softmax does not see what all logits have more"


def test_a_parameter_that_differs_is_named_on_both_sides() -> None:
    ours = {
        "a": Parameter("one", 1e-5),
        "b": Parameter("rope_type", "linear"),
        "c": Parameter("only here", 3),
    }
    theirs = {"a": Parameter("llama.one", 9.99999e-6), "b": Parameter("llama.rope.scaling.type", "none")}
    assert "rope_type is linear in the folder, llama.rope.scaling.type is none" in str(
        first_difference(ours, theirs)
    )
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


def test_a_template_that_renders_nothing_is_not_the_same_as_none() -> None:
    count = 2 * len(CONVERSATIONS)
    without = [Rendering(None, NO_TEMPLATE)] * count
    assert template(without, without).passed and "Neither side has" in template(without, without).detail
    broken = [Rendering(None, "unexpected '}'")] * count
    found = template(broken, broken)
    assert not found.passed and "render any conversation" in found.detail and "unexpected '}'" in found.detail


def test_the_end_of_a_turn_stops() -> None:
    assert end_of_turn(seen(), FILE, Generated((7, 1), 0, True)).passed
    assert (
        "had to write 7 '<7>' stopped there" in end_of_turn(seen(), FILE, Generated((1, 7), 1, True)).detail
    )
    assert end_of_turn(seen(), FILE, None).passed
    goes_on = end_of_turn(seen(), FILE, Generated((1, 2), 2, False))
    assert "ends an answer with 1 '<1>', after which llama.cpp goes on: it had to write 2 tokens" in goes_on.detail
    strange = end_of_turn(seen(), FILE, Generated((1, 2), 2, False, ("<|end_of_text|>",)))
    assert not strange.passed and "<|end_of_text|>, which is not a token of this" in strange.detail
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
        for role, folder in (("weights", pair[0]), ("model", placed.parent), ("source", pair[0]))
    }
    spec = {"type": "f16", "allow": list(allow)}
    return Context(spec, inputs, out, out, out, out, 1, "cpu", Silent())


def test_the_stage_refuses_a_release_and_can_be_told_not_to(pair: tuple[Path, Path], tmp_path: Path) -> None:
    made = stage.run(context(pair, pair[1], tmp_path / "good"))
    assert [check["name"] for check in made["checks"]] == list(CHECKS)
    assert {check["outcome"] for check in made["checks"]} == {"passed"}
    assert (tmp_path / "good" / "parity.json").is_file()
    broken = changed(pair, tmp_path / "broken.gguf", tokenizer__ggml__add_bos_token=True)
    with pytest.raises(GateRefused, match="tokenizer: String 1 ") as refused:
        stage.run(context(pair, broken, tmp_path / "bad"))
    assert refused.value.exit_code == 3 and not (tmp_path / "bad" / "parity.json").exists()
    allowed = stage.run(context(pair, broken, tmp_path / "allowed", ("tokenizer",)))
    assert [check["name"] for check in allowed["checks"] if check["outcome"] == "allowed"] == ["tokenizer"]
    (sentence,) = known_differences(allowed["checks"])
    assert sentence.startswith("The recipe allows a difference in the check tokenizer. String 1 ")
    assert known_differences(made["checks"]) == ()


def test_reported_and_allowed_differences_are_sentences_that_the_catalog_takes() -> None:
    entries = [
        {"name": "tokenizer", "outcome": "reported", "detail": "alike", "note": "NFC."},
        {"name": "logits", "outcome": "passed", "detail": "alike"},
        {"name": "template", "outcome": "allowed", "detail": "x" * 5000},
    ]
    first, second = known_differences(entries)
    assert first == "NFC." and second.endswith("xxx...") and len(second) == MOST_LETTERS
    items = schema.load("catalog-v1")["$defs"]["Release"]["properties"]["differences"]["anyOf"][0]["items"]
    assert items["maxLength"] == MOST_LETTERS
