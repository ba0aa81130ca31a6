"""The type that source.json gives a GGUF source."""

import pytest

from zoo.gguf.header import Header, TensorInfo
from zoo.judge.parity.sourcerecord import VocabularyFacts
from zoo.modelfolder.record import of_gguf

MIXED = ("Q8_0", "Q5_0", "Q5_0", "Q6_K")


def header(file_type: int | None, types: tuple[str, ...]) -> Header:
    tensors = tuple(TensorInfo(f"blk.{at}.ffn_up.weight", type_, (640, 8), 64) for at, type_ in enumerate(types))
    return Header("gemma3", 5120, 2048, 1, 640, 4, 1, 256, 256, 8, None, None, file_type, {}, {}, tensors)


@pytest.mark.parametrize(
    ("file_type", "types", "said"),
    [
        pytest.param(15, MIXED, "Q4_K_M", id="as the file calls itself"),
        pytest.param(3, ("Q4_1", "F16"), "Q4_1", id="a plain one"),
        pytest.param(None, MIXED, "Q5_0", id="a file that does not say: most matrices"),
        pytest.param(9999, MIXED, "Q5_0", id="an unknown number"),
        pytest.param(1, MIXED, "Q5_0", id="called F16, and it is not"),
        pytest.param(15, ("F16", "F32"), None, id="called quantized, and it is not"),
    ],
)
def test_a_source_has_the_type_that_its_file_names(
    file_type: int | None, types: tuple[str, ...], said: str | None
) -> None:
    facts = VocabularyFacts(tokens_sha256=None, token_types=None, pre_tokenizer=None)
    assert of_gguf(header(file_type, types), facts)["quantized"] == said
