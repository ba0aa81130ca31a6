"""The options of a measurement, and the two kinds of errors."""

from __future__ import annotations

from dataclasses import dataclass

from pi_runtime.cores import cores

WARMUPS = 1
"""Runs before the first counted one: they bring the mapped weights into memory and wake the clock up."""


class CouldNot(Exception):
    """The measurement could not be made (exit code 1). The text is a sentence for a person."""

    exit_code = 1


class InvalidArguments(CouldNot):
    """The request makes no sense (exit code 2)."""

    exit_code = 2


@dataclass(frozen=True)
class Settings:
    """One request. Lengths are in tokens; None means: choose for me."""

    prompt_tokens: int = 128
    decode_tokens: int = 32
    samples: int = 5
    threads: int | None = None
    context_tokens: int | None = None
    device_label: str | None = None

    def check(self) -> None:
        """Raise InvalidArguments unless the request can be carried out."""
        for name in ("prompt_tokens", "decode_tokens", "samples"):
            if getattr(self, name) < 1:
                raise InvalidArguments(f"--{name.replace('_', '-')} must be 1 or more.")
        self._check_threads()
        needed = self.prompt_tokens + self.decode_tokens
        if self.context_tokens is not None and self.context_tokens < needed:
            raise InvalidArguments(
                f"--context {self.context_tokens} is too small: prompt and decode need {needed} tokens. "
                "Leave out --context to get a context that is just large enough."
            )
        label = self.device_label
        if label is not None and not (0 < len(label) <= 80 and label.isprintable()):
            raise InvalidArguments("--device must have 1 to 80 printable characters, for example 'pi-5-8gb'.")

    def _check_threads(self) -> None:
        if self.threads is None:
            return
        if self.threads < 1:
            raise InvalidArguments("--threads must be 1 or more.")
        usable = cores().logical
        if self.threads > usable:
            # ggml's threads spin while they wait, so surplus threads take time from the working ones.
            raise InvalidArguments(
                f"--threads {self.threads} is more than the {usable} cores that this process may use; "
                "the result would measure waiting threads."
            )

    @property
    def threads_used(self) -> int:
        """Threads for prompt and decode: one for each fast core within the quota unless asked otherwise."""
        return self.threads if self.threads is not None else cores().threads

    @property
    def context_wanted(self) -> int:
        """Context length asked of llama.cpp, which may round it up."""
        return self.context_tokens or self.prompt_tokens + self.decode_tokens
