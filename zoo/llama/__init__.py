"""The only door to llama.cpp: header, conversion, quantizing, generation, logits, evaluation and a smoke
test.

Importing this package loads nothing heavy; each submodule loads llama.cpp when one of its functions is
called. Every function that computes takes ``threads`` from its caller, because ggml's threads spin: more
threads than idle cores make it slower, not faster.
"""
