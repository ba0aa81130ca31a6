"""Publishes in a child per line of stdin, which costs a fork and not the imports. Used by test_publish_random.py.

In: ``ADDRESS ZOO``. Out: the child's pid, then its output (a word), or the signal that ended it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import publishsamples
from huggingface_hub.utils import _http

from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.hub import connect
from zoo.hub.huggingface import client, session

# Named once, so that every child has them.
_ = (huggingface_hub.HfApi, huggingface_hub.CommitOperationAdd, huggingface_hub.CommitOperationDelete)


def publish(address: str, zoo: Path) -> str:
    """``already``, ``done``, or the first line of what went wrong."""
    try:
        release = publishsamples.read_release(zoo)
        done = publishsamples.publish(release, settings_room.load(zoo, {}, {}), connect(address, zoo))
        return "already" if done.already else "done"
    except ZooError as error:
        return f"{str(error).splitlines()[0]} {error.remedy}".replace("\n", " ")


def main() -> None:
    _http.time.sleep = lambda _: None
    client.PAUSES_SECONDS = (0.0, 0.0)
    session.TIMEOUT_SECONDS = session.READ_SECONDS = 0.5
    huggingface_hub.constants.HF_HUB_OFFLINE = False
    for line in sys.stdin:
        address, _, zoo = line.rstrip("\n").partition(" ")
        pid = os.fork()
        if pid == 0:
            try:
                print(publish(address, Path(zoo)), flush=True)
            finally:
                os._exit(0)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            print(f"signal {os.WTERMSIG(status)}", flush=True)


if __name__ == "__main__":
    main()
