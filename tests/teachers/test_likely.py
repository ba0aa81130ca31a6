"""What a server says of the tokens of a prompt: nothing that has two meanings, and nothing that cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from catalog import jsontext
from catalog.jsontext import Json
from zoo.teachers.dialects import DIALECTS, Place
from zoo.teachers.likely import OtherCount, Top, Unfit, is_moved, tops
from zoo.teachers.replies import NotAReply

VOCABULARY = 355


def vllm(place: Mapping[str, float]) -> list[Place]:
    named: dict[str, Json] = {name: {"logprob": logp} for name, logp in place.items()}
    return DIALECTS["vllm"].places({"choices": [{"prompt_logprobs": [None, named]}]}, 0)


def sglang(own: int, *best: tuple[float, int]) -> list[Place]:
    pairs: list[Json] = [[logp, token, None] for logp, token in best]
    meta: dict[str, Json] = {
        "input_token_logprobs": [[None, 1, None], [-1.0, own, None]], "input_top_logprobs": [None, pairs],
    }  # fmt: skip
    return DIALECTS["sglang"].places({"meta_info": meta}, 0)


@pytest.mark.parametrize("name", ["9" * 5000, "05", "\u0663\u0665", "-5", "5 ", "", "1e2", "99999999999"])
def test_a_token_has_one_name(name: str) -> None:
    with pytest.raises(NotAReply, match="by their ids"):
        vllm({"5": -0.1, name: -2.0})


@pytest.mark.parametrize("token", [10**300, 2**31, -1])
def test_a_number_that_is_no_id_is_refused(token: int) -> None:
    with pytest.raises(NotAReply, match="by their ids"):
        sglang(5, (-0.1, 5), (-2.0, token))


def test_a_token_with_two_values_is_refused() -> None:
    with pytest.raises(NotAReply, match="names a token twice"):
        sglang(5, (-0.1, 5), (-2.5, 5))
    with pytest.raises(jsontext.NotJson, match="written twice"):
        jsontext.parse('{"5": {"logprob": -0.1}, "5": {"logprob": -2.5}}', unique=True, bounded=False)


@pytest.mark.parametrize("logps", [[-9999.0] * 4, [-math.log(400.0)] * 4, [-20.0, -21.0, -22.0, -23.0]])
def test_a_rest_that_all_others_cannot_have_is_refused(logps: list[float]) -> None:
    place = Place(5, logps[0], dict(zip((5, 6, 7, 8), logps, strict=True)))
    with pytest.raises(Unfit, match="too small"):
        tops([place], [5], 4, VOCABULARY)


def test_an_even_distribution_and_a_certain_one_are_learnt() -> None:
    even = Place(5, -math.log(VOCABULARY), dict.fromkeys((5, 6, 7, 8), -math.log(VOCABULARY)))
    (found,) = tops([even], [5], 4, VOCABULARY)
    assert math.exp(found.tail_logp) == pytest.approx(1 - 4 / VOCABULARY)
    certain = Place(5, 0.0, {5: 0.0, 6: -9999.0, 7: -9999.0, 8: -9999.0})
    assert tops([certain], [5], 4, VOCABULARY) == [Top((5, 6, 7, 8), (0.0, *[-math.inf] * 3), -math.inf)]


def test_another_number_of_tokens_is_a_kind_of_its_own() -> None:
    """Only this one has to do with the number that was asked for."""
    with pytest.raises(OtherCount):
        tops([Place(5, -1.0, {5: -1.0})], [5], 4, VOCABULARY)


def test_what_counts_as_another_answer() -> None:
    one = Top((1, 2, 3, 4), (-1.0, -2.0, -3.0, -math.inf), -0.9)
    # The steps of 16 bits, and two tokens that change places.
    assert not is_moved(one, Top((1, 3, 2, 4), (-1.06, -2.7, -2.4, -math.inf), -0.9))
    assert is_moved(one, Top((1, 2, 3, 4), (-2.0, -2.0, -3.0, -math.inf), -0.4))
    assert is_moved(one, Top((1, 7, 8, 9), (-1.0, -2.0, -3.0, -4.0), -0.9))
