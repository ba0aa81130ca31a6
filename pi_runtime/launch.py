"""Start llama.cpp's server on a model file that was checked: ``python3 -m pi_runtime.launch NAME``.

The model file is opened once. Its digest is computed through that descriptor and compared with the release's manifest,
and the server opens ``/proc/self/fd/N``, the very same file: one that is put in its place meanwhile is never read.
systemd hears READY=1 only when the server's health probe answers, and WATCHDOG=1 only as long as it does.

Exit codes: 0 stopped on request, 1 the server ended by itself, 65 the model file is not the one in the manifest,
66 a file is missing, 78 the configuration cannot be used. systemd does not restart after 65, 66 and 78.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from pi_runtime import service as services
from pi_runtime.notify import Notifier
from pi_runtime.service import BadService, Service
from pi_runtime.verified import NotVerified, Unreadable, open_verified
from pi_runtime.words import harmless

SERVER = Path(__file__).resolve().parents[1] / "llama-server"
WRONG_FILE, NO_FILE, BAD_CONFIGURATION = 65, 66, 78
PROBE_SECONDS = 10.0
"""How long one health probe may take: a busy board answers late."""
STOP_SECONDS = 20.0
"""After this the server is killed; systemd waits a little longer (TimeoutStopSec)."""


class Stopped(BaseException):
    """A signal asked the launcher to stop."""


def command(service: Service, name: str, descriptor: int, server: Path, key_file: Path | None) -> list[str]:
    """The server's command line. It downloads nothing, serves no pages, and runs no tools."""
    line = [str(server), "--model", f"/proc/self/fd/{descriptor}", "--alias", name, "--host", service.host]
    if not service.socket:
        line += ["--port", str(service.port)]
    line += ["--offline", "--no-ui", "--no-slots", "--cors-origins", "localhost", "--parallel", "1"]
    line += ["--ctx-size", str(service.context_tokens), "--fit", "off", "--log-colors", "off"]
    line += ["--threads", str(service.threads), "--threads-batch", str(service.threads_batch)]
    line += ["--cache-type-k", service.cache_type_k, "--cache-type-v", service.cache_type_v]
    line += ["--sleep-idle-seconds", str(service.sleep_idle_seconds)]
    if key_file is not None:
        line += ["--api-key-file", str(key_file)]
    return [*line, *service.flags]


def key_file(service: Service) -> Path | None:
    """Where the server reads its API keys: systemd's copy, which only this service can read, else the file itself.

    Raises BadService for a file without a key: the server would then let everybody in.
    """
    if service.api_key_file is None:
        return None
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, services.CREDENTIAL) if folder else Path(service.api_key_file)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadService(f"The API key in {service.api_key_file} could not be read: {error}") from error
    if not any(len(line.strip()) >= 16 for line in lines if not line.startswith("#")):
        raise BadService(f"{service.api_key_file} has no key of at least 16 characters. Make one: openssl rand -hex 24")
    return path


def free_address(service: Service) -> None:
    """Remove a socket that an earlier run left. Raises BadService if another program listens on the address.

    Its answers to the health probe would be taken for the server's; with SO_REUSEPORT both could listen on one port.
    """
    path = Path(service.host)
    if service.socket and not path.is_socket():
        if path.exists():
            raise BadService(f"{path} is not a socket. Remove it, or choose another host.")
        return
    link = _link(service)
    try:
        link.connect()
    except OSError:
        if service.socket:
            path.unlink(missing_ok=True)
        return
    finally:
        link.close()
    raise BadService(f"Another program listens on {_address(service)}. Stop it, or choose another port or host.")


def _address(service: Service) -> str:
    return service.host if service.socket else f"{service.host} port {service.port}"


class _Unix(http.client.HTTPConnection):
    """HTTP over a socket with a path."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PROBE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PROBE_SECONDS)
        self.sock.connect(self._path)


def _link(service: Service) -> http.client.HTTPConnection:
    if service.socket:
        return _Unix(service.host)
    return http.client.HTTPConnection(services.reached(service.host), service.port, timeout=PROBE_SECONDS)


def healthy(service: Service) -> bool:
    """Whether the server says that it has loaded the model. It needs no key for this."""
    link = _link(service)
    try:
        link.request("GET", "/health")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def supervise(child: subprocess.Popen[bytes], service: Service, notifier: Notifier) -> int:
    """Report readiness and health until the server ends; its exit code. Raises Stopped for a signal."""
    ready, pause = False, 0.1
    while True:
        ended = _wait(child, pause)
        if ended is not None:
            return ended
        well = healthy(service)
        if well and not ready:
            ready, pause = True, notifier.watchdog_seconds / 3 if notifier.watchdog_seconds else 3600.0
            if service.socket:
                # The unit's umask shuts everybody else out, but who may reach loopback may reach the socket too.
                Path(service.host).chmod(0o666)
            _say(f"ready on {_address(service)}")
            notifier.send("READY=1", "STATUS=serving")
        if well:
            notifier.send("WATCHDOG=1")
        elif not ready:
            notifier.extend(60)


def _wait(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def serve(service: Service, name: str, server: Path) -> int:
    """Check the file, run the server, return the exit code."""
    notifier = Notifier.of_environment()
    notifier.send("STATUS=checking the model file")
    if not os.access(server, os.X_OK):
        raise Unreadable(f"{server} was not found. Install the package pi-zoo-runtime, or use --server FILE.")
    with open_verified(service, notifier) as checked:
        _say(f"{service.model} is the file of the manifest (sha256 {checked.sha256})")
        free_address(service)
        line = command(service, name, checked.descriptor, server, key_file(service))
        notifier.send("STATUS=loading the model")
        return run(line, checked.descriptor, service, notifier)


def run(line: list[str], descriptor: int, service: Service, notifier: Notifier) -> int:
    """Start the server with one open file, and stay until it ends or a signal asks for it."""
    child = None
    # The server takes options from variables (LLAMA_ARG_...) and libraries from LD_LIBRARY_PATH: it gets neither.
    world = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    try:
        child = subprocess.Popen(line, pass_fds=(descriptor,), env=world, cwd="/", stdin=subprocess.DEVNULL)
        ended = supervise(child, service, notifier)
    except Stopped:
        notifier.send("STOPPING=1", "STATUS=stopping")
        return _stop(child) if child else 0
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()
    _say(f"the server ended by itself with {_described(ended)}; its last lines are above")
    return 1


def _described(ended: int) -> str:
    return f"exit code {ended}" if ended >= 0 else f"signal {signal.Signals(-ended).name}"


def _stop(child: subprocess.Popen[bytes]) -> int:
    child.terminate()
    if _wait(child, STOP_SECONDS) is None:
        _say(f"the server did not stop within {STOP_SECONDS:.0f} s and is killed")
    return 0


def _asked(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Stopped


def _say(line: str) -> None:
    print(f"pi-zoo: {harmless(line)}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one service; see the exit codes above."""
    parser = argparse.ArgumentParser(
        prog="python3 -m pi_runtime.launch", description="Check a model file and start llama.cpp's server on it."
    )
    parser.add_argument("name", help=f"the service; its configuration is {services.FOLDER}/NAME.json")
    parser.add_argument("--config", type=Path, metavar="FILE", help="another configuration")
    parser.add_argument("--server", type=Path, default=SERVER, metavar="FILE", help="another llama-server")
    given = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _asked)
    started = time.monotonic()
    try:
        service = services.read(given.config or services.path_of(given.name))
        return serve(service, given.name, given.server)
    except BadService as error:
        return _refused(BAD_CONFIGURATION, str(error))
    except NotVerified as error:
        return _refused(WRONG_FILE, str(error))
    except Unreadable as error:
        return _refused(NO_FILE, str(error))
    except Stopped:
        _say(f"stopped after {time.monotonic() - started:.0f} s, before the server was started")
        return 0


def _refused(code: int, sentence: str) -> int:
    _say(f"not started: {sentence}")
    Notifier.of_environment().send(f"STATUS={sentence}", f"ERRNO={code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
