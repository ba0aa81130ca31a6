"""``pi-zoo recommend`` gives the answer of ``zoo pick`` and of the site's front page, from files alone."""

from __future__ import annotations

from pathlib import Path

import choosersamples
import pytest

from catalog import architectures, guessing, memory
from catalog import device as devices
from catalog.index import Catalog, to_text
from catalog.quants import QUANTS
from pi_runtime import arithmetic, catalogue, choosing, plainjson, profiles, ranking
from pi_runtime.choosing import Wish
from zoo import catalogfile
from zoo.choose import candidates, chooser, domination, pick, roofline
from zoo.choose.chooser import Question

ROOT = Path(__file__).resolve().parents[2]
KNOWN = profiles.profiles()
DEVICES = ("pi-zero-2", "pi-3", "pi-4-4gb", "pi-5-8gb", "orange-pi-5-16gb", "jetson-orin-nano", "laptop-16gb")


def catalogs() -> list[Catalog]:
    """The one of this repository, and 200 random models."""
    path = ROOT / "model_catalog.json"
    return [catalogfile.read_catalog(path, path.name), choosersamples.catalog(200, 3)]


CATALOGS = catalogs()


def read(catalog: Catalog) -> list[catalogue.Model]:
    return catalogue.read(to_text(catalog), "catalog.json")


def test_the_figures_of_the_rules_are_the_same() -> None:
    assert (
        frozenset(name for name in architectures.ARCHITECTURES if architectures.dense(name))
        == arithmetic.DENSE
    )
    kernels = {kernel.type for device in devices.DEVICES for kernel in device.kernels}
    assert {n: q.ggml_type for n, q in QUANTS.items() if q.ggml_type in kernels} == arithmetic.KERNEL_TYPES
    assert arithmetic.KV_SHARES == memory.KV_TYPES
    assert (arithmetic.UBATCH_TOKENS, arithmetic.CELL_TOKENS) == (memory.UBATCH_TOKENS, memory.CELL_TOKENS)
    assert (arithmetic.CAUTION, arithmetic.COST_SPREAD) == (roofline.CAUTION, roofline.COST_SPREAD)
    assert (choosing.READING, choosing.ROOMY_SHARE) == (candidates.READING, candidates.ROOMY_SHARE)
    assert (choosing.LOSS_LIMIT, choosing.SLOWER_SHARE) == (candidates.LOSS_LIMIT, domination.SLOWER_SHARE)
    tolerance = pick.TOLERANCE
    assert (
        tolerance.kld_mean_nats,
        tolerance.same_top_share,
    ) == (choosing.TOLERANCE_KLD, choosing.TOLERANCE_TOP)
    assert (ranking.CHANCE, ranking.Z) == (guessing.CHANCE, guessing.Z)


@pytest.mark.parametrize("catalog", CATALOGS, ids=["repository", "random"])
@pytest.mark.parametrize("context", [512, 2048, 3000])
@pytest.mark.parametrize("kv", ["f16", "q8_0"])
def test_every_file_that_is_picked_is_the_one_of_zoo_pick(catalog: Catalog, context: int, kv: str) -> None:
    mine = {one.name: one for one in read(catalog)}
    for model in catalog.models:
        release, here = pick.current(model), mine[model.name].current()
        assert (release and release.version) == (here and here.version)
        if not release or not here or context > release.architecture.context_tokens:
            continue
        for device_id in DEVICES:
            device = devices.find(device_id)
            assert device
            theirs = pick.pick(release, device, context, kv=kv)
            found = choosing.pick(here, Wish(profiles.find(device_id, KNOWN), KNOWN, context, kv))
            assert (found and found[0].file.path) == (theirs.file and theirs.file.path), (
                model.name,
                device_id,
            )
            if found and theirs.speed:
                one = found[0]
                assert one.need and one.need.total == theirs.memory_bytes
                assert (
                    one.decode.typical == theirs.speed.typical
                    and one.decode.measured == theirs.speed.measured
                )
                assert (one.decode.low, one.decode.high) == (theirs.speed.low, theirs.speed.high)


@pytest.mark.parametrize("catalog", CATALOGS, ids=["repository", "random"])
@pytest.mark.parametrize("language", [None, "en", "fr"])
def test_the_order_of_the_models_is_the_catalogs(catalog: Catalog, language: str | None) -> None:
    entries = [one for model in catalog.models if (one := chooser.entry(model))]
    theirs = [(one.entry.name, one.tier, one.at_chance) for one in chooser.rank(entries, language)]
    mine = [(one.model.name, one.tier, one.at_chance) for one in ranking.rank(read(catalog), language)]
    assert mine == theirs


@pytest.mark.parametrize("catalog", CATALOGS, ids=["repository", "random"])
@pytest.mark.parametrize("least", [None, 20.0])
def test_the_answer_is_that_of_the_front_page(catalog: Catalog, least: float | None) -> None:
    entries = [one for model in catalog.models if (one := chooser.entry(model))]
    ranked, mine = chooser.rank(entries), ranking.rank(read(catalog))
    for device_id in DEVICES:
        device = devices.find(device_id)
        assert device
        for context in (512, 2048):
            theirs = chooser.choose(Question(device, context, least), ranked)
            offers = choosing.choose(mine, Wish(profiles.find(device_id, KNOWN), KNOWN, context, least=least))
            expected = [one for one in (theirs.answer, *theirs.runners_up) if one]
            found = [(one.ranked.model.name, one.candidate.file.path) for one in offers[:4]]
            assert found == [
                (one.ranked.entry.name, one.pick.file.path) for one in expected if one.pick.file
            ], device_id


def test_a_catalog_of_another_form_is_refused_with_its_place() -> None:
    with pytest.raises(plainjson.WrongJson, match="is not a catalog of models in the format model-catalog/1"):
        catalogue.read('{"models": []}', "x.json")
    good = to_text(choosersamples.catalog(2, 1))
    with pytest.raises(plainjson.WrongJson, match="is not valid JSON after 1 models"):
        catalogue.read(good[: len(good) // 2 + 1000], "x.json")
    for old, new, words in (
        ('"name": "model-00001"', '"name": "../x"', r"models\[1\]\.name is not a plain name"),
        ('"size_bytes": ', '"size_bytes": 1.5e3, "was": ', "size_bytes is not a whole number"),
    ):
        with pytest.raises(plainjson.WrongJson, match=words):
            catalogue.read(good.replace(old, new), "x.json")
