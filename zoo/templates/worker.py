"""The process that runs one chat template. ``zoo.templates.renderer`` starts it and communicates with it.

One JSON object a line, both ways. First ``{"template": TEXT, "limits": {...}}``, answered by ``{}``; then one
conversation a line, ``{"values": {...}}``, answered by ``{"text": ..., "clock": ...}``, or another template; the limits
stay those of the first. Failures are answered by
``{"refused": WHY, "kind": KIND}``. Processor time beyond the limit ends the process by SIGPROF, also inside one long
operation. The end of the input ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable

from zoo.templates.limits import Answer, Limits, Request
from zoo.templates.rendering import Refusal, Template


def main() -> None:
    """Answer until the input ends."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    first = json.loads(sys.stdin.buffer.readline() or "null")
    if first is None:
        return
    limits = Limits(**first["limits"])
    _bound_memory(limits.memory_bytes)
    # The process that started this one may have ignored or blocked it.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    template: list[Template] = []

    def done(request: Request) -> Answer:
        if "template" in request:
            template.clear()
            template.append(Template(request["template"]))
            return {}
        text = template[0].render(request["values"], limits.characters)
        return {"text": text, "clock": template[0].read_clock}

    if not _answer(limits, lambda: done(first)):
        return
    for line in sys.stdin.buffer:

        def asked(line: bytes = line) -> Answer:
            return done(json.loads(line))

        if not _answer(limits, asked):
            return


def _answer(limits: Limits, work: Callable[[], Answer]) -> bool:
    """Do ``work`` within the time limit and write the result. Returns whether it can take more requests."""
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
    sound = True
    try:
        said = json.dumps(work())
    except Refusal as error:
        said = json.dumps({"refused": str(error), "kind": error.kind})
    except MemoryError:
        # The state of the memory is unknown.
        why = f"it needs more than {limits.memory_bytes >> 20} MiB of memory"
        said, sound = json.dumps({"refused": why, "kind": "limit"}), False
    sys.stdout.buffer.write(said.encode() + b"\n")
    sys.stdout.buffer.flush()
    signal.setitimer(signal.ITIMER_PROF, 0)
    return sound


def _bound_memory(most_bytes: int) -> None:
    """Set limits if the system has them. Data is writable memory; address space also counts mapped files."""
    import resource

    for name, most in (("RLIMIT_DATA", most_bytes), ("RLIMIT_AS", 2 * most_bytes)):
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))
        except (AttributeError, OSError, ValueError):
            continue
