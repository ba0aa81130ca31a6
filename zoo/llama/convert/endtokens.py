"""Header keys for end tokens that generation_config.json names but at which llama.cpp would not stop.

llama.cpp ends an answer at the ids of the keys below, and at tokens whose text it recognises, such as <|im_end|>
(llama-vocab.cpp). A model may name more. Two of the keys are often unused: end of turn and end of message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.errors import ModelFileError
from zoo.llama import library

SLOTS = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")


def placed(path: Path, wanted: Iterable[int], metadata: Mapping[str, object]) -> dict[str, int]:
    """Header keys to set so that llama.cpp ends at every id of ``wanted``; empty if it already does.

    At most as many ids as there are free SLOTS are stored, in the order of ``wanted``; parity refuses the rest.
    Raises ModelFileError if llama.cpp does not read the vocabulary.
    """
    lib = library.require()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    with library.hearing() as heard:
        pointer = lib.llama_model_load_from_file(str(path).encode(), params)
    if not pointer:
        raise ModelFileError(f"llama.cpp does not read the vocabulary: {heard.error()}", where=path.name)
    try:
        vocab = lib.llama_model_get_vocab(pointer)
        size = lib.llama_vocab_n_tokens(vocab)
        missing = [n for n in wanted if 0 <= n < size and not lib.llama_vocab_is_eog(vocab, n)]
    finally:
        lib.llama_model_free(pointer)
    free = [key for key in SLOTS if key not in metadata]
    return dict(zip(free, dict.fromkeys(missing), strict=False))
