"""The only use of llama.cpp: load one file, run a prompt, take greedy tokens.

Talks to the C interface through ``llama_cpp.llama_cpp`` so that nothing of llama-cpp-python's own
Python loop is inside a measured time. llama.cpp's messages are kept, not printed.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Protocol

from pi_runtime.settings import CouldNot, Settings
from pi_runtime.shape import ModelFacts, Versions

UBATCH_TOKENS = 512
"""llama.cpp's default for tokens computed in one batch; a shorter prompt gets a batch of its own length."""

NEEDED = (
    "llama_batch_get_one", "llama_decode", "llama_get_memory", "llama_init_from_model", "llama_log_set",
    "llama_memory_clear", "llama_model_load_from_file", "llama_sampler_init_greedy", "llama_sampler_sample",
    "llama_synchronize", "llama_vocab_n_tokens",
)  # fmt: skip

INSTALL = """Install it on Raspberry Pi OS with:
    sudo apt install python3-venv build-essential cmake
    python3 -m venv ~/bench
    ~/bench/bin/pip install 'llama-cpp-python>=0.3.36'
and run this program with ~/bench/bin/python. pip compiles llama.cpp for this device, which takes a while."""

_LOG_ERROR = 4  # ggml_log_level; the comment in llama-cpp-python still has older numbers
_messages: deque[str] = deque(maxlen=100)
_kept_callbacks: list[object] = []  # ctypes frees a callback that Python no longer refers to


class ModelParams(Protocol):
    """``llama_model_params``, as far as it is set here."""

    n_gpu_layers: int


class ContextParams(Protocol):
    """``llama_context_params``, as far as it is set here."""

    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_threads: int
    n_threads_batch: int
    swa_full: bool
    offload_kqv: bool
    op_offload: bool


class Library(Protocol):
    """The functions of llama.cpp that are used, with C's types as ctypes hands them over.

    A handle (model, vocabulary, context, memory, sampler, batch) is opaque: one function makes it, others take it.
    """

    llama_token: type[ctypes.c_int32]

    def llama_log_callback(self, told: Callable[[int, bytes, object], None], /) -> object: ...
    def llama_log_set(self, callback: object, data: ctypes.c_void_p, /) -> None: ...
    def llama_backend_init(self) -> None: ...
    def llama_version(self) -> bytes: ...
    def llama_print_system_info(self) -> bytes: ...
    def llama_model_default_params(self) -> ModelParams: ...
    def llama_model_load_from_file(self, path: bytes, params: ModelParams, /) -> object: ...
    def llama_model_has_encoder(self, model: object, /) -> bool: ...
    def llama_model_has_decoder(self, model: object, /) -> bool: ...
    def llama_model_get_vocab(self, model: object, /) -> object: ...
    def llama_vocab_n_tokens(self, vocab: object, /) -> int: ...
    def llama_model_desc(self, model: object, text: ctypes.Array[ctypes.c_char], size: int, /) -> int: ...
    def llama_model_n_params(self, model: object, /) -> int: ...
    def llama_model_size(self, model: object, /) -> int: ...
    def llama_model_n_ctx_train(self, model: object, /) -> int: ...
    def llama_model_free(self, model: object, /) -> None: ...
    def llama_context_default_params(self) -> ContextParams: ...
    def llama_init_from_model(self, model: object, params: ContextParams, /) -> object: ...
    def llama_n_ctx(self, context: object, /) -> int: ...
    def llama_get_memory(self, context: object, /) -> object: ...
    def llama_memory_clear(self, memory: object, data: bool, /) -> None: ...
    def llama_batch_get_one(self, tokens: ctypes.Array[ctypes.c_int32], count: int, /) -> object: ...
    def llama_decode(self, context: object, batch: object, /) -> int: ...
    def llama_synchronize(self, context: object, /) -> None: ...
    def llama_free(self, context: object, /) -> None: ...
    def llama_sampler_init_greedy(self) -> object: ...
    def llama_sampler_sample(self, sampler: object, context: object, index: int, /) -> int: ...
    def llama_sampler_free(self, sampler: object, /) -> None: ...


@cache
def library() -> Library:
    """The ctypes module, ready for use and with its messages going to ``_messages``."""
    try:
        import llama_cpp.llama_cpp

        lib: Library = llama_cpp.llama_cpp
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise CouldNot(f"llama-cpp-python cannot be used on this machine ({error}). {INSTALL}") from error
    missing = [name for name in NEEDED if not hasattr(lib, name)]
    if missing:
        raise CouldNot(f"This llama-cpp-python is too old or too new: {missing[0]} is missing. {INSTALL}")
    callback = lib.llama_log_callback(_keep_message)
    _kept_callbacks.append(callback)
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    lib.llama_backend_init()
    return lib


def _keep_message(level: int, text: bytes, _data: object) -> None:
    if level == _LOG_ERROR:
        _messages.append(text.decode("utf-8", errors="replace").strip())


def _complaint() -> str:
    """llama.cpp's first two error messages: the first names the cause, later ones repeat that it failed."""
    return "; ".join(list(_messages)[:2]) or "llama.cpp gave no reason"


def _advice(complaint: str) -> str:
    """What to do about a file that cannot be loaded: only these two causes need different steps."""
    if "allocate" in complaint or "memory" in complaint:
        return "There is not enough free memory. Use a smaller file, or stop other programs."
    return "The file is damaged, incomplete, or made for another version. Download it again and compare its sha256."


def software() -> Versions:
    """Versions of llama.cpp and its binding, and the CPU features that this build uses."""
    lib = library()
    try:
        binding = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        binding = None
    version = lib.llama_version().decode() if hasattr(lib, "llama_version") else None
    return {
        "llama_cpp_version": version,
        "llama_cpp_system_info": lib.llama_print_system_info().decode().strip(" |") or None,
        "llama_cpp_python_version": binding,
    }


class Session:
    """One loaded file with one context, on the CPU only; everything not set here is llama.cpp's default.

    Layers with a sliding window keep the window, as in llama-server and llama-cli; the library alone would keep all.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._lib = library()
        self._name = path.name
        self._model: object = None
        self._context: object = None
        self._sampler: object = None
        self.ubatch_tokens = min(UBATCH_TOKENS, settings.prompt_tokens)
        _messages.clear()
        try:
            self._load(path)
            self._refuse_other_kinds()
            self._make_context(settings)
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path) -> None:
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        self._model = self._lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise CouldNot(f"llama.cpp could not load {self._name}: {_complaint()}. {_advice(_complaint())}")

    def _refuse_other_kinds(self) -> None:
        lib, model = self._lib, self._model
        if lib.llama_model_has_encoder(model) or not lib.llama_model_has_decoder(model):
            raise CouldNot(
                f"{self._name} is not a decoder-only language model. Only such models can be measured."
            )

    def _make_context(self, settings: Settings) -> None:
        params = self._lib.llama_context_default_params()
        params.n_ctx = settings.context_wanted
        params.swa_full = False
        params.n_batch = settings.prompt_tokens
        params.n_ubatch = self.ubatch_tokens
        params.n_threads = params.n_threads_batch = settings.threads_used
        params.offload_kqv = params.op_offload = False
        self._context = self._lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise CouldNot(f"llama.cpp could not make a context for {self._name}: {_complaint()}.")
        self._memory = self._lib.llama_get_memory(self._context)
        self._sampler = self._lib.llama_sampler_init_greedy()

    @property
    def context_tokens(self) -> int:
        """Context length in tokens after llama.cpp's rounding up."""
        return int(self._lib.llama_n_ctx(self._context))

    @property
    def vocabulary_tokens(self) -> int:
        """Number of token ids the model knows."""
        return int(self._lib.llama_vocab_n_tokens(self._lib.llama_model_get_vocab(self._model)))

    def describe(self) -> ModelFacts:
        """What llama.cpp says about the model."""
        text = ctypes.create_string_buffer(256)
        self._lib.llama_model_desc(self._model, text, len(text))
        return {
            "description": text.value.decode("utf-8", errors="replace") or None,
            "parameters": int(self._lib.llama_model_n_params(self._model)),
            "tensor_bytes": int(self._lib.llama_model_size(self._model)),
            "vocabulary_tokens": self.vocabulary_tokens,
            "context_trained_tokens": int(self._lib.llama_model_n_ctx_train(self._model)),
        }

    def forget(self) -> None:
        """Empty the context, so that every sample starts in the same state."""
        if self._memory:
            self._lib.llama_memory_clear(self._memory, True)

    def feed(self, tokens: list[int]) -> None:
        """Run the model over ``tokens`` after what it has seen; returns when the computation is finished."""
        array = (self._lib.llama_token * len(tokens))(*tokens)
        status = self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            raise CouldNot(f"llama.cpp returned {status} while running {self._name}: {_complaint()}.")
        self._lib.llama_synchronize(self._context)

    def greedy_token(self) -> int:
        """The most likely next token; the end-of-text token is taken like any other."""
        return int(self._lib.llama_sampler_sample(self._sampler, self._context, -1))

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        if self._sampler:
            self._lib.llama_sampler_free(self._sampler)
        if self._context:
            self._lib.llama_free(self._context)
        if self._model:
            self._lib.llama_model_free(self._model)
        self._sampler = self._context = self._model = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
