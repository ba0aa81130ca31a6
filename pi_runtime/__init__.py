"""Measure how fast a GGUF file runs on the machine at hand, with the state of the machine next to the figures.

This package is copied to a small board and run there with ``python3 -m pi_runtime bench FILE.gguf``.
It must work with the Python 3.11 of Debian 12 (Raspberry Pi OS "bookworm") and imports the standard
library only; llama.cpp is reached at run time through the ctypes module ``llama_cpp.llama_cpp`` of
llama-cpp-python. It imports nothing of the rest of this project: the two meet through the file format
``bench-report/1``, whose schema is ``catalog/schemas/bench-report-v1.schema.json``.

    plainjson  JSON that somebody else wrote, with the place of what is wrong in it
    profiles   device profiles, and which one this machine is
    accelerate what computes and with which arguments, for serving, embeddings and benchmarks
    settings   what is valid, and the two ways of saying no
    parsers    texts of /proc and /sys to values; pure
    system     reads those texts; what is missing is None
    llama      the only use of llama.cpp
    shape      the parts of a report as types
    verdict    median, quartiles, and whether a run may be believed
    bench      ``measure``: one file, one report
    words      sizes, rates and counts as people read them
    report     the report as JSON, CSV and a summary; files are written atomically
    worker     the child process that loads the file
    supervise  starts that child, so that a crash in llama.cpp becomes a sentence
    service    the configuration of a background service, checked
    verified   a model file, opened once and compared with its release
    notify     messages to systemd
    launch     starts llama.cpp's server on the file that was checked
"""

from __future__ import annotations

VERSION = "1.0"
