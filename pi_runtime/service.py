"""What a background service is configured to run: the file ``/etc/pi-zoo/NAME.json``, format ``pi-zoo-service/1``.

``pi-zoo use`` writes it and ``pi_runtime.launch`` reads it. Everything in it is checked before anything starts: the
options of llama.cpp's server against a list of allowed ones, and the address against the rule that only loopback is
open without an API key.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pi_runtime.report import write_together

FORMAT = "pi-zoo-service/1"
FOLDER = Path("/etc/pi-zoo")
UNITS = Path("/etc/systemd/system")
RUNTIME = "/run/pi-zoo"
"""Each service may make its socket in a folder of its own name below this one."""
CREDENTIAL = "api-key"

ALLOWED = frozenset((
    "--batch-size", "--cache-ram", "--cache-reuse", "--cpu-mask", "--cpu-strict", "--ctx-checkpoints", "--device",
    "--embeddings", "--flash-attn", "--gpu-layers", "--jinja", "--kv-unified", "--load-mode", "--main-gpu", "--mlock",
    "--mmap", "--n-gpu-layers", "--no-cache-prompt", "--no-jinja", "--no-kv-unified", "--no-mmap", "--no-repack",
    "--no-warmup", "--poll", "--poll-batch", "--pooling", "--reasoning", "--repack", "--split-mode",
    "--swa-full", "--threads-http", "--ubatch-size", "--warmup",
))  # fmt: skip
"""Options that a device profile may add. None opens a file, an address, a download or a program."""

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_VALUE = re.compile(r"[A-Za-z0-9_.,:<>+-]{1,64}")


class BadService(Exception):
    """The configuration cannot be used; the text is a sentence that names the file and the entry."""


@dataclass(frozen=True)
class Service:
    """One service. Paths are absolute; memory_bytes is the most that it may use, None for no limit.

    host: an address, or the path of a socket that ends with ``.sock``. manifest_sha256: digest of the manifest itself,
    None to accept the manifest as it is. api_key_file: a file with one key per line that only root can read.
    """

    model: str
    manifest: str
    manifest_sha256: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    api_key_file: str | None = None
    context_tokens: int = 2048
    threads: int = 4
    threads_batch: int = 4
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    sleep_idle_seconds: int = 300
    memory_bytes: int | None = None
    flags: tuple[str, ...] = ()

    @property
    def socket(self) -> bool:
        """Whether ``host`` is the path of a socket."""
        return self.host.endswith(".sock")

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return self.socket or self.host == "localhost" or _is_loopback(self.host)

    def check(self, where: str = "The service") -> None:
        """Raise BadService with the entry that cannot be used."""
        for fault in _faults(self):
            raise BadService(f"{where}: {fault}")


def reached(host: str) -> str:
    """Where this machine reaches a server that listens on ``host``: 0.0.0.0 is not an address to connect to."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _faults(service: Service) -> list[str]:
    faults = [
        f"{name} must be an absolute path of printable characters, not {value!r}"
        for name in ("model", "manifest", "api_key_file")
        if (value := getattr(service, name)) is not None and not (value.startswith("/") and value.isprintable())
    ]
    faults += [
        f"{name} must be from {low} to {high:,}, not {value!r}"
        for name, low, high in (("port", 1, 65535), ("context_tokens", 64, 1 << 20), ("threads", 1, 512),
                                ("threads_batch", 1, 512), ("sleep_idle_seconds", -1, 1 << 30))
        if not low <= (value := getattr(service, name)) <= high
    ]  # fmt: skip
    faults += [
        f"{name} must be one of {', '.join(KV_TYPES)}"
        for name in ("cache_type_k", "cache_type_v")
        if getattr(service, name) not in KV_TYPES
    ]
    if service.memory_bytes is not None and service.memory_bytes < 16 << 20:
        faults.append(f"memory_bytes is {service.memory_bytes}, less than any model needs")
    if service.manifest_sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", service.manifest_sha256):
        faults.append("manifest_sha256 must have 64 hexadecimal digits")
    return faults + _host_faults(service) + _flag_faults(service.flags)


def _host_faults(service: Service) -> list[str]:
    if service.socket:
        # Nothing outside the service's own folder is removed or made.
        folder = os.environ.get("RUNTIME_DIRECTORY") or RUNTIME
        inside = service.host.startswith(f"{folder}/") and ".." not in service.host.split("/")
        inside = inside and service.host.isprintable()
        return [] if inside else [f"a socket must be below {folder}, not {service.host!r}"]
    if service.host != "localhost":
        try:
            ipaddress.ip_address(service.host)
        except ValueError:
            return [f"host must be an IP address, localhost or a path that ends with .sock, not {service.host!r}"]
    if not service.loopback and service.api_key_file is None:
        return [
            f"host {service.host} can be reached from the network, which needs an API key. "
            "Put a key into a file that only root can read and set api_key_file, or use 127.0.0.1"
        ]
    return []


def _flag_faults(flags: tuple[str, ...]) -> list[str]:
    for flag in flags:
        if flag.startswith("--") and flag not in ALLOWED:
            return [f"the option {flag} is not in the list of allowed ones: {', '.join(sorted(ALLOWED))}"]
        if not flag.startswith("--") and not _VALUE.fullmatch(flag):
            return [f"the value {flag!r} in flags has characters that no allowed option takes"]
        if re.match(r"-[A-Za-z]", flag):
            return [f"flags must have long names; {flag} is a short one"]
    return []


def path_of(name: str) -> Path:
    """The configuration of the service ``pi-zoo@NAME``. Raises BadService for a name that systemd would escape."""
    if not NAME.fullmatch(name):
        raise BadService(f"A service's name has lower-case letters, digits, '.', '_' and '-' only, not {name!r}.")
    return FOLDER / f"{name}.json"


def read(path: Path) -> Service:
    """The checked configuration in a file. Raises BadService."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadService(f"{path} could not be read: {error.strerror}. Run: pi-zoo use NAME") from error
    except (ValueError, RecursionError) as error:
        raise BadService(f"{path} is not valid JSON: {error}. Run: pi-zoo use NAME") from error
    if not isinstance(raw, dict) or raw.pop("schema", None) != FORMAT:
        raise BadService(f'{path} does not say "schema": "{FORMAT}". Run: pi-zoo use NAME')
    service = _shaped(raw, str(path))
    service.check(str(path))
    return service


def _shaped(raw: dict[str, object], where: str) -> Service:
    kinds = {"str": str, "int": int, "str | None": (str, type(None)), "int | None": (int, type(None))}
    known = {field.name: field for field in fields(Service)}
    for name, value in raw.items():
        if name not in known:
            raise BadService(f"{where}: {name} is not a known entry")
        kind = kinds.get(str(known[name].type))
        if kind is None:
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        else:
            good = isinstance(value, kind) and not isinstance(value, bool)  # type: ignore[arg-type]  # joined to object
        if not good:
            raise BadService(f"{where}: {name} has a value of the wrong kind: {value!r}")
    missing = [name for name in ("model", "manifest") if name not in raw]
    if missing:
        raise BadService(f"{where}: {missing[0]} is missing")
    flags = raw.pop("flags", [])
    return Service(**raw, flags=tuple(flags))  # type: ignore[arg-type]  # each value was compared with its type


def to_json(service: Service) -> str:
    """The text of the configuration file."""
    return json.dumps({"schema": FORMAT, **asdict(service)}, indent=2) + "\n"


def drop_in(service: Service) -> str:
    """Settings of systemd for this service alone: memory from the profile, the key, and the network if it is opened."""
    lines = ["# Written by pi-zoo use; your own settings belong into another file of this folder.", "[Service]"]
    if service.memory_bytes is not None:
        lines += [f"MemoryMax={service.memory_bytes}", f"MemoryHigh={service.memory_bytes * 15 // 16}"]
    if service.api_key_file is not None:
        # systemd replaces what follows a % sign.
        lines.append(f"LoadCredential={CREDENTIAL}:{service.api_key_file.replace('%', '%%')}")
    if not service.loopback:
        lines += ["IPAddressDeny=", "IPAddressAllow="]
    return "\n".join(lines) + "\n"


def write(service: Service, name: str) -> tuple[Path, Path]:
    """Write both files of a service, both or neither: (configuration, settings of systemd). Raises BadService, OSError.

    systemd reads them after ``systemctl daemon-reload``.
    """
    service.check()
    config, settings = path_of(name), UNITS / f"pi-zoo@{name}.service.d" / "pi-zoo.conf"
    for path in (config, settings):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_together({config: to_json(service), settings: drop_in(service)})
    return config, settings
