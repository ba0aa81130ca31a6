"""The cache of a teacher's answers: few bytes, verified when read, the same however made, clear when it fails."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip
from shortchats import Heard  # noqa: E402 - after the skip
from smalldisk import mounted  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from zoo.errors import Damaged, ModelFileError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.training.conversations import EncodedRow  # noqa: E402 - after the skip
from zoo.training.models import load_model, logits_at  # noqa: E402 - after the skip
from zoo.training.teacher import Question, Share, Targets, TeacherCache, cache_teacher, codec, old, top_of  # noqa: E402 - after the skip  # noqa: E402 - after the skip
from zoo.training.teacher.arranging import Width, arranged, padded, shape_of, width_of  # noqa: E402 - after the skip
from zoo.training.teacher.index import NAME  # noqa: E402 - after the skip

SMALL = Width(batch_tokens=96, head_positions=8, shard_positions=40)
TOP_K = 16


class Listening(Heard):
    """said: every line of information. tasks: every measured piece of work."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tasks: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Any]:
        self.tasks.append(what)
        with super().task(what, total, unit) as advance:
            yield advance


def row(number: int, tokens: int, answered: int) -> EncodedRow:
    """``answered`` tokens at the end are the assistant's."""
    ids = tuple(3 + (number * 7 + place * 5) % 340 for place in range(tokens))
    return EncodedRow(f"c{number}", ids, tuple(place >= tokens - answered for place in range(tokens)))


ROWS = [row(number, 9 + number * 13 % 37, 4 + number % 5) for number in range(30)]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("teacher") / "teacher", layers=1)


@pytest.fixture
def question(teacher: Path) -> Question:
    return Question(teacher, ROWS, TOP_K, 1.0, together=SMALL)


@pytest.fixture(scope="module")
def whole(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TeacherCache]:
    folder = tmp_path_factory.mktemp("whole") / "cache"
    return folder, cache_teacher(Question(teacher, ROWS, TOP_K, 1.0, together=SMALL), folder, Heard())


def copied(whole: tuple[Path, TeacherCache], folder: Path) -> Path:
    return Path(shutil.copytree(whole[0], folder))


def sums(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.glob("shard-*"))}


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)


def equal(left: Targets, right: Targets) -> bool:
    return all(torch.equal(a, b) for a, b in zip(dataclasses.astuple(left), dataclasses.astuple(right), strict=True))


def of(logits: Any, k: int) -> Targets:
    return Targets(*top_of(logits, k, 1.0).values())


# The codec.


def test_rounding_is_within_half_a_step_and_adds_up_to_one() -> None:
    random = torch.Generator().manual_seed(0)
    answers = of(torch.randn(300, 2_000, generator=random) * 4, 64)
    back = codec.unpack(codec.pack(answers), 300, 64)
    assert torch.equal(back.ids, answers.ids) and back.ids.dtype == torch.int32
    total = back.logp.double().exp().sum(-1) + back.tail_logp.double().exp()
    # float32 rounds each of 65 log-probabilities of at most 2^5.
    assert float((total - 1).abs().max()) < 2**5 * torch.finfo(torch.float32).eps
    error = (back.logp - answers.logp).abs().double()
    # Half a step at the smaller probability, as much again for making the sum 1: half a step weighed by p, of all.
    steps = torch.clamp(codec.STEP / (answers.logp.double() / 2).exp(), max=codec.COARSEST)
    shift = (answers.logp.double().exp() * steps).sum(-1) + codec.STEP
    assert bool((error <= 0.51 * steps * (1 + steps) + 0.51 * shift[:, None]).all())


def test_answers_are_190_bytes_at_most() -> None:
    """Tokens of random numbers are harder than those of text, which repeat."""
    random = torch.Generator().manual_seed(1)
    answers = of(torch.randn(256, 49_152, generator=random) * 3, 64)
    assert len(codec.pack(answers)) <= 190 * 256


@pytest.mark.parametrize("width", [16, 70_000])
def test_probabilities_of_nothing_and_wide_vocabularies(width: int) -> None:
    logits = torch.linspace(0, -40, width).repeat(2, 1).clone()
    logits[0, 5:] = -math.inf
    answers = of(logits.flip(-1), 16)
    back = codec.unpack(codec.pack(answers), 2, 16)
    assert torch.equal(back.ids, answers.ids)
    assert torch.equal(torch.isneginf(back.logp), torch.isneginf(answers.logp))
    assert torch.equal(torch.isneginf(back.tail_logp), torch.isneginf(answers.tail_logp))
    assert not torch.isnan(back.logp).any() and not torch.isnan(back.tail_logp).any()


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-4], lambda raw: raw[:0], lambda raw: raw[:1] + b"x" * 40])
def test_other_bytes_are_no_answers(spoil: Any) -> None:
    raw = codec.pack(of(torch.randn(4, 50), 8))
    with pytest.raises(ValueError):
        codec.unpack(spoil(raw), 4, 8)
    with pytest.raises(ValueError, match="longer or shorter"):
        codec.unpack(raw, 3, 8)


# Which rows are read together.


def test_every_row_is_in_one_batch_and_shards_are_closed_in_time() -> None:
    shards = arranged(ROWS, SMALL)
    numbers = [number for shard in shards for batch in shard for number in batch.rows]
    assert sorted(numbers) == list(range(len(ROWS))) and len(shards) > 3
    for shard in shards:
        most = max(sum(len(ROWS[number].positions) for number in batch.rows) for batch in shard)
        positions = sum(len(ROWS[number].positions) for batch in shard for number in batch.rows)
        assert positions < SMALL.shard_positions + most
        for batch in shard:
            assert len(batch.rows) <= batch.capacity == 96 // batch.length
            assert all(ROWS[number].positions[-1] < batch.length for number in batch.rows)
    lengths = [batch.length for shard in shards for batch in shard]
    assert lengths == sorted(lengths, reverse=True), "what does not fit into memory fails early"


def test_lengths_are_few_and_waste_at_most_half() -> None:
    lengths = {tokens: padded(tokens) for tokens in range(1, 3_000)}
    assert all(tokens <= length <= max(16, 1.5 * tokens) for tokens, length in lengths.items())
    assert len(set(lengths.values())) == 16


def test_a_row_that_fills_a_batch_is_not_padded() -> None:
    assert shape_of(48, SMALL) == (48, 2) and shape_of(33, SMALL) == (48, 2)
    assert shape_of(49, SMALL) == (49, 1) and shape_of(500, SMALL) == (500, 1)


def test_what_depends_on_other_rows_is_read_alone_or_without_padding() -> None:
    plain = width_of("cpu", {"num_hidden_layers": 2, "num_experts_per_tok": 1, "n_routed_experts": None})
    assert plain.is_padded and plain.batch_tokens == width_of("cpu", None).batch_tokens > 1
    assert width_of("cuda:1", {"text_config": {"num_local_experts": 8}}).batch_tokens == 1
    for rope in ({"rope_scaling": {"type": "dynamic"}}, {"rope_parameters": {"full": {"rope_type": "longrope"}}}):
        assert not width_of("cpu", rope).is_padded
    unlike = arranged(ROWS, dataclasses.replace(SMALL, is_padded=False))
    assert {batch.length for shard in unlike for batch in shard} == {one.positions[-1] + 1 for one in ROWS}


# Making and reading.


def test_a_cache_has_the_answers_of_the_teacher(whole: tuple[Path, TeacherCache], teacher: Path) -> None:
    model = load_model(teacher, torch.float32, "cpu")
    for number in (7, 0, 29):
        positions = torch.tensor(ROWS[number].positions)
        with torch.no_grad():
            logits = logits_at(model, torch.tensor([ROWS[number].input_ids]), torch.zeros_like(positions), positions)
        right, found = of(logits, TOP_K), whole[1].targets([number])
        assert torch.equal(found.ids, right.ids)
        assert float((found.logp - right.logp).abs().max()) < codec.COARSEST
    both = whole[1].targets([3, 20])
    assert len(both) == len(ROWS[3].positions) + len(ROWS[20].positions) and both.ids.shape[1] == TOP_K


def test_a_finished_cache_is_opened_without_the_teacher(
    whole: tuple[Path, TeacherCache], question: Question
) -> None:
    heard = Listening()
    again = cache_teacher(question, whole[0], heard)
    assert not heard.tasks and not heard.warnings and again.digest == whole[1].digest
    assert equal(again.targets([11, 4]), whole[1].targets([11, 4]))


@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_a_damaged_shard_is_named_and_made_again(
    harm: str, whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    folder, heard = copied(whole, tmp_path / "copy"), Listening()
    cache = cache_teacher(question, folder, heard)
    path = folder / "shard-00001.answers"
    {"flipped": flip, "cut": lambda one: one.write_bytes(one.read_bytes()[:50]), "gone": Path.unlink}[harm](path)
    assert all(equal(cache.targets([number]), whole[1].targets([number])) for number in range(len(ROWS)))
    assert [text for text in heard.warnings if "shard-00001.answers" in text and "made again" in text]
    assert len(heard.warnings) == 1 and heard.tasks == ["read the teacher"]
    assert sums(folder) == sums(whole[0])
    # The last line about a shard counts.
    assert not cache_teacher(question, folder, heard).targets([0]).logp.isnan().any() and len(heard.tasks) == 1


def test_shards_that_were_damaged_before_the_start_are_told(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    folder, heard = copied(whole, tmp_path / "copy"), Listening()
    (folder / "shard-00001.answers").write_bytes(b"")
    (folder / "shard-00002.answers").unlink()
    cache_teacher(question, folder, heard)
    assert heard.warnings == [
        "shard-00001.answers of the teacher's answers has another size than recorded: it is made again, and 1 more"
    ]
    assert sums(folder) == sums(whole[0])


@pytest.mark.parametrize("harm", ["flipped", "deleted"])
def test_what_happens_to_a_shard_while_it_is_read_is_noticed(
    harm: str, whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    """``zoo clean teachers`` in another terminal, for one."""
    folder, heard = copied(whole, tmp_path / "copy"), Listening()
    cache = cache_teacher(question, folder, heard)
    cache.targets(range(len(ROWS)))
    if harm == "flipped":
        flip(folder / "shard-00002.answers")
    else:
        shutil.rmtree(folder)
    assert equal(cache.targets(range(len(ROWS))), whole[1].targets(range(len(ROWS))))
    assert heard.tasks == ["read the teacher"] and len(heard.warnings) == 1
    assert sums(folder) == sums(whole[0])


def test_a_disk_that_loses_what_is_written_is_reported(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_teacher(question, copied(whole, tmp_path / "copy"), Heard())
    flip(tmp_path / "copy" / "shard-00000.answers")
    number = list(cache.shards).index(0)
    # Every reading finds other bytes.
    readings = itertools.count()
    monkeypatch.setattr("zoo.training.teacher.cache.sha256_file", lambda _: str(next(readings)))
    with pytest.raises(Damaged, match=r"shard-00000\.answers .* right after it was made again"):
        cache.targets([number])


def test_a_torn_index_loses_the_shards_it_does_not_name(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    folder = copied(whole, tmp_path / "copy")
    lines = (folder / NAME).read_bytes().splitlines(keepends=True)
    for kept, rest in ((2, b'{"shard":1,"sha'), (0, lines[0][:20])):
        (folder / NAME).write_bytes(b"".join(lines[:kept]) + rest)
        heard = Listening()
        cache = cache_teacher(question, folder, heard)
        assert heard.tasks == ["read the teacher"]
        assert (folder / NAME).read_bytes() == b"".join(lines)
        assert equal(cache.targets([5]), whole[1].targets([5]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top_k": 8}, "another distill.top_k"),
        ({"temperature": 2.0}, "another distill.temperature"),
        ({"rows": ROWS[:20]}, "other conversations"),
        ({"width": 300}, "another number of tokens"),
    ],
)
def test_the_cache_of_another_question_is_made_again_and_said(
    changes: dict[str, Any], words: str, whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    folder, heard = copied(whole, tmp_path / "copy"), Listening()
    (folder / "shard-00077.answers").touch()
    other = cache_teacher(dataclasses.replace(question, **changes), folder, heard)
    assert not (folder / "shard-00077.answers").exists()
    assert other.digest != whole[1].digest
    assert len(heard.warnings) == 1 and words in heard.warnings[0]
    assert other.targets([2]).ids.shape[1] == changes.get("top_k", TOP_K)


def test_the_cache_of_another_teacher_is_made_again(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    folder, heard = copied(whole, tmp_path / "copy"), Listening()
    another = make_tiny_llama(tmp_path / "another", layers=1, seed=4)
    cache = cache_teacher(dataclasses.replace(question, teacher=another), folder, heard)
    assert "another teacher" in heard.warnings[0]
    assert not equal(cache.targets([2]), whole[1].targets([2]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_several_processes_make_the_same_shards(
    order: tuple[int, ...], whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    for rank in order:
        cache_teacher(question, tmp_path, Heard(), share=Share(rank, 3))
    heard = Listening()
    cache = cache_teacher(question, tmp_path, heard)
    assert not heard.tasks and sums(tmp_path) == sums(whole[0])
    assert equal(cache.targets([1]), whole[1].targets([1]))


def test_a_process_without_a_shard_loads_no_teacher(teacher: Path, tmp_path: Path) -> None:
    few = Question(teacher, ROWS[:2], TOP_K, 1.0)
    heard = Listening()
    cache_teacher(few, tmp_path, heard, share=Share(5, 8))
    assert not heard.tasks
    cache_teacher(few, tmp_path, heard, share=Share(0, 8))
    assert heard.tasks == ["read the teacher"] and len(sums(tmp_path)) == 1


def test_all_tokens_are_kept_where_top_k_is_more(teacher: Path, tmp_path: Path) -> None:
    heard = Listening()
    found = cache_teacher(Question(teacher, ROWS[:2], 4_096, 1.0), tmp_path, heard).targets([0])
    assert found.ids.shape[1] == 355 and torch.isneginf(found.tail_logp).all()
    assert "355 tokens, fewer than distill.top_k" in heard.said[0]


def test_a_full_disk_keeps_the_shards_before(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    with mounted(tmp_path / "small", "16k") as small:
        with pytest.raises(OSError) as caught:
            cache_teacher(question, small / "cache", Heard())
        assert caught.value.errno == errno.ENOSPC
        kept = sums(small / "cache")
        assert 0 < len(kept) < len(sums(whole[0])) and kept.items() <= sums(whole[0]).items()
        assert not list((small / "cache").glob(".*"))
        shutil.copytree(small / "cache", tmp_path / "larger")
    cache_teacher(question, tmp_path / "larger", Heard())
    assert sums(tmp_path / "larger") == sums(whole[0])


def test_a_teacher_that_computes_nan_is_refused_with_the_conversation(teacher: Path, tmp_path: Path) -> None:
    spoiled = Path(shutil.copytree(teacher, tmp_path / "spoiled"))
    weights = load_file(spoiled / "model.safetensors")
    config = json.loads((spoiled / "config.json").read_text())
    (spoiled / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    # Only conversation c1 has this token, as its tenth.
    weights["model.embed_tokens.weight"][350] = math.nan
    save_file(weights, spoiled / "model.safetensors", metadata={"format": "pt"})
    other = row(1, 12, 4)
    rows = [row(0, 12, 4), dataclasses.replace(other, input_ids=(*other.input_ids[:9], 350, 7, 8))]
    with pytest.raises(ModelFileError, match="NaN or infinite in conversation c1") as caught:
        cache_teacher(Question(spoiled, rows, TOP_K, 1.0), tmp_path / "cache", Heard())
    assert "sha256" in caught.value.remedy and not sums(tmp_path / "cache")
    with pytest.raises(ModelFileError, match="computes NaN"):
        first = dataclasses.replace(other, input_ids=(350, *other.input_ids[1:]))
        cache_teacher(Question(spoiled, [first], TOP_K, 1.0), tmp_path / "other", Heard())


# Caches of earlier versions.


def written_before(question: Question, home: Path) -> Any:
    """A cache of format 1, as earlier versions wrote it; returns where a cache is by its digest."""
    model = load_model(question.teacher, torch.float32, "cpu")
    name = old.old_digest(question)
    folder = home / name
    folder.mkdir(parents=True)
    entries = []
    for start in range(0, len(question.rows), 16):
        parts = []
        for one in question.rows[start : start + 16]:
            positions = torch.tensor(one.positions)
            with torch.no_grad():
                logits = logits_at(model, torch.tensor([one.input_ids]), torch.zeros_like(positions), positions)
            parts.append(top_of(logits, question.top_k, question.temperature))
        file = folder / f"shard-{start // 16:05d}.safetensors"
        save_file({key: torch.cat([part[key] for part in parts]) for key in parts[0]}, file)
        entries.append({"file": file.name, "sha256": sha256_file(file)})
    asked = {"top_k": question.top_k, "temperature": question.temperature}
    (folder / "index.json").write_text(json.dumps({"format": 1, "digest": name, **asked, "shards": entries}))
    return lambda digest: home / digest


def test_answers_of_an_earlier_version_are_taken_over(
    whole: tuple[Path, TeacherCache], question: Question, tmp_path: Path
) -> None:
    place, heard = written_before(question, tmp_path / "shared"), Listening()
    cache = cache_teacher(question, tmp_path / "new", heard, earlier=place)
    assert not heard.tasks and "earlier version" in heard.said[0]
    assert cache.has_older and not whole[1].has_older
    for number in range(len(ROWS)):
        mine, fresh = cache.targets([number]), whole[1].targets([number])
        assert torch.equal(mine.ids, fresh.ids)
        # Either may be rounded the other way.
        assert float((mine.logp - fresh.logp).abs().max()) < 2 * codec.COARSEST
    heard = Listening()
    flip(tmp_path / "shared" / old.old_digest(question) / "shard-00001.safetensors")
    cache_teacher(question, tmp_path / "newer", heard, earlier=place)
    assert heard.tasks == ["read the teacher"] and sums(tmp_path / "newer").keys() == sums(whole[0]).keys()
    nowhere = Listening()
    cache_teacher(dataclasses.replace(question, top_k=5), tmp_path / "other", nowhere, earlier=place)
    assert nowhere.tasks == ["read the teacher"] and not nowhere.said
