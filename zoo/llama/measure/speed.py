"""The measuring program (engine) for the speed of a file: ``python -m zoo.llama.measure.speed``, for ``pi-zoo bench``.

It speaks ``bench-engine/1``, which ``pi_runtime.engine`` describes: JSON lines on stdin and stdout. It calls
llama.cpp's C interface alone, so no Python loop of a library is inside a measured time. What is not set here is
llama.cpp's default, as in llama-server. ``zoo.llama.model`` has other settings, for equal bits and not for speed.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TextIO, TypedDict

from catalog import jsontext
from catalog.shapes import WrongShape, shaped
from zoo import extras
from zoo.errors import ModelFileError, ZooError
from zoo.llama import library
from zoo.llama.library import Context, Heard, Sampler

FORMAT = "bench-engine/1"
UBATCH_TOKENS = 512
"""llama.cpp's default for tokens computed in one batch; a shorter prompt gets a batch of its own length."""

ADVICE = {
    True: "There is not enough free memory. Use a smaller file, or stop other programs.",
    False: "The file is damaged, incomplete, or made for another version. Download it again and compare its sha256.",
}
"""What to do about a file that cannot be loaded, by whether memory is the reason."""


class Load(TypedDict):
    """What is asked for. path: a GGUF file; batch_tokens: length of the prompt that will be measured."""

    path: str
    threads: int
    context_tokens: int
    batch_tokens: int


class _Loading(TypedDict):
    load: Load


class _Run(TypedDict):
    prompt: list[int]
    decode_tokens: int


class _Running(TypedDict):
    run: _Run


class Ran(TypedDict):
    """One run: the tokens that were chosen, and the seconds since its beginning or, for decode_seconds, since the first
    token."""

    tokens: list[int]
    prompt_seconds: float
    first_token_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Session:
    """One loaded file with one context, on the processor only. Use ``opened``; the pointers are valid in its block."""

    name: str
    lib: ModuleType
    model: object
    context: Context
    sampler: Sampler
    ubatch_tokens: int

    def described(self) -> dict[str, object]:
        """What llama.cpp says about the model, for the answer ``loaded``."""
        lib, text = self.lib, ctypes.create_string_buffer(256)
        lib.llama_model_desc(self.model, text, len(text))
        return {
            "description": text.value.decode("utf-8", errors="replace") or None,
            "parameters": int(lib.llama_model_n_params(self.model)),
            "tensor_bytes": int(lib.llama_model_size(self.model)),
            "vocabulary_tokens": int(lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))),
            "context_trained_tokens": int(lib.llama_model_n_ctx_train(self.model)),
        }

    @property
    def context_tokens(self) -> int:
        """Context length in tokens after llama.cpp's rounding up."""
        return int(self.lib.llama_n_ctx(self.context))

    def run(self, prompt: list[int], decode_tokens: int) -> Ran:
        """The prompt from an empty context, its first token and ``decode_tokens`` more; the end of a text is a token
        like any other. Raises ZooError."""
        clock, lib = time.perf_counter, self.lib
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)
        start = clock()
        self._feed(prompt)
        prompt_done = clock()
        tokens = [self._likeliest()]
        first_done = clock()
        for _ in range(decode_tokens):
            self._feed(tokens[-1:])
            tokens.append(self._likeliest())
        end = clock()
        return {
            "tokens": tokens,
            "prompt_seconds": prompt_done - start,
            "first_token_seconds": first_done - start,
            "decode_seconds": end - first_done,
        }

    def _feed(self, tokens: list[int]) -> None:
        """Run the model over tokens after what it has seen; returns when the computation is finished."""
        lib = self.lib
        array = (lib.llama_token * len(tokens))(*tokens)
        status = lib.llama_decode(self.context, lib.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            raise ZooError(f"llama.cpp returned {status} while running {self.name}")
        lib.llama_synchronize(self.context)

    def _likeliest(self) -> int:
        return int(self.lib.llama_sampler_sample(self.sampler, self.context, -1))


@contextmanager
def opened(wanted: Load) -> Iterator[Session]:
    """A loaded file. Raises ModelFileError with llama.cpp's reason, MissingExtra without llama.cpp."""
    lib, path = library.require(), Path(wanted["path"])
    with library.hearing() as heard:
        model = _model(lib, path, heard)
        try:
            ubatch = min(UBATCH_TOKENS, wanted["batch_tokens"])
            context = _context(lib, model, wanted, ubatch)
            if not context:
                raise ModelFileError(f"llama.cpp could not make a context for {path.name}: {_reason(heard)}")
            sampler = lib.llama_sampler_init_greedy()
            try:
                yield Session(path.name, lib, model, context, sampler, ubatch)
            finally:
                lib.llama_sampler_free(sampler)
                lib.llama_free(context)
        finally:
            lib.llama_model_free(model)


def _model(lib: ModuleType, path: Path, heard: Heard) -> object:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    model: object = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        why = _reason(heard)
        advice = ADVICE["memory" in why or "alloc" in why]
        raise ModelFileError(f"llama.cpp could not load {path.name}: {why}. {advice}")
    if lib.llama_model_has_encoder(model) or not lib.llama_model_has_decoder(model):
        lib.llama_model_free(model)
        raise ModelFileError(f"{path.name} is not a decoder-only language model. Only such models can be measured.")
    return model


def _context(lib: ModuleType, model: object, wanted: Load, ubatch_tokens: int) -> Context | None:
    """Layers with a sliding window keep the window, as in llama-server; the library alone would keep all."""
    params = lib.llama_context_default_params()
    params.n_ctx = wanted["context_tokens"]
    params.swa_full = False
    params.n_batch = wanted["batch_tokens"]
    params.n_ubatch = ubatch_tokens
    params.n_threads = params.n_threads_batch = wanted["threads"]
    params.offload_kqv = params.op_offload = False
    made: Context | None = lib.llama_init_from_model(model, params)
    return made


def _reason(heard: Heard) -> str:
    return heard.error() or "llama.cpp gave no reason"


def versions() -> dict[str, str | None]:
    """Versions of llama.cpp and its binding, and the CPU features that this build uses. Raises MissingExtra."""
    lib = library.require()
    version = lib.llama_version().decode("utf-8", errors="replace") if hasattr(lib, "llama_version") else None
    return {
        "llama_cpp_version": version or None,
        "llama_cpp_system_info": library.system_info().strip(" |") or None,
        "llama_cpp_python_version": extras.version("llama-cpp-python"),
    }


def answer(requests: TextIO, say: Callable[[dict[str, object]], None]) -> None:
    """Load the file of the first request, and run each later one until the requests end. Raises ZooError."""
    say({"engine": FORMAT, "versions": versions()})
    first = requests.readline()
    if not first:
        return
    clock = time.perf_counter()
    with opened(shaped(jsontext.parse(first), _Loading)["load"]) as session:
        seconds = time.perf_counter() - clock
        loaded = {"seconds": seconds, "context_tokens": session.context_tokens, "ubatch_tokens": session.ubatch_tokens}
        say({"loaded": {**loaded, "model": session.described()}})
        for line in requests:
            wanted = shaped(jsontext.parse(line), _Running)["run"]
            say({"ran": session.run(wanted["prompt"], wanted["decode_tokens"])})


def main() -> int:
    """Serve one measurement; what C code prints goes to stderr, because stdout is for the answers."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)

        def say(message: dict[str, object]) -> None:
            channel.write(json.dumps(message, allow_nan=False) + "\n")
            channel.flush()

        try:
            answer(sys.stdin, say)
        except ZooError as error:
            say({"failed": ". ".join(filter(None, (str(error), error.remedy)))})
            return 1
        except (jsontext.NotJson, WrongShape) as error:
            say({"failed": f"The request is not one of {FORMAT}: {error}"})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
