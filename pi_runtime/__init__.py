"""``pi-zoo``: choose, download, verify, run and measure small language models on a board.

It must work with the Python 3.11 of Debian 12 (Raspberry Pi OS "bookworm") and the 3.13 of Debian 13, and imports the
standard library only. Models run in llama.cpp's server; a benchmark of a file may also use another program, which
``engine`` describes. It imports nothing of the rest of this project: they share the formats of the catalog, of device
profiles, of measuring programs (``bench-engine/1``) and of reports, ``bench-report/1``, whose schema is
``catalog/schemas/bench-report-v1.schema.json``.

    options    the command line
    asking     ``list`` and ``recommend``
    keeping    ``pull``, ``use``, ``verify`` and ``remove``
    talking    ``run``, ``embed`` and ``serve``
    measuring  ``bench``
    checking   ``doctor``
    boardbench a report through llama-server; boardruns: its requests; surroundings: swap, storage, energy
    probing    whether the answers of a server are right
    llamabench llama-bench's figures, for comparison
    board      the device that a command is about, and whether a file would make it swap
    sources    where the catalog is, and where files are
    catalogue  a catalog as types
    arithmetic memory and speed of a file on a device; pure
    ranking    the order of models; pure
    choosing   the file and the model to recommend; pure
    store      models on this board and their receipts
    download   bytes from an address, resumed and verified
    programs   where llama.cpp's programs are
    server     a llama-server for one command
    plainjson  JSON that somebody else wrote, with the place of what is wrong in it
    profiles   device profiles, and which one this machine is
    accelerate what computes and with which arguments, for serving, embeddings and benchmarks
    settings   what is valid, and the two ways of saying no
    parsers    texts of /proc and /sys to values; pure
    system     reads those texts; what is missing is None
    shape      the parts of a report as types
    verdict    median, quartiles, and whether a run may be believed
    sampling   one warm-up and the samples, whatever computes
    bench      ``measure``: one file in an engine, one report
    engine     a measuring program in a process of its own, and the lines that it speaks
    words      sizes, rates and counts as people read them
    report     the report as JSON, CSV and a summary; files are written atomically
    children   what every child process has: it ends with this program, and its crash becomes a sentence
    service    the configuration of a background service, checked
    verified   a model file, opened once and compared with its release
    notify     messages to systemd
    launch     starts llama.cpp's server on the file that was checked
"""

from __future__ import annotations

VERSION = "1.0"
