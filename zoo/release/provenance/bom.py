"""A bill of materials of a release in CycloneDX 1.6 (ML-BOM, https://cyclonedx.org/capabilities/mlbom/).

Components, licences, hashes and dependencies are built and written by cyclonedx-python-lib. The library has no model
card (as of 11.12), so that part is added to its output; the tests check the result against the library's own schema.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from catalog.dataplaces import PLACES
from catalog.release import Ancestor, Model, ModelFile, Release
from zoo import __version__, extras
from zoo.files.digests import pretty_json
from zoo.release.cards import PIPELINE_TAGS

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import LicenseExpression

ROOT = "model"
"""The bom-ref of the released model."""

_STANDARD_ERRORS = 1.96
"""Half the width of a 95 % interval in standard errors."""


class _Metadata(TypedDict, total=False):
    timestamp: str
    component: dict[str, object]


class _Made(TypedDict):
    """The part of the library's output that is changed here."""

    metadata: _Metadata


def bom(model: Model, release: Release, namespace: str, key: str) -> str:
    """The bill of materials as JSON text. key gives the serial number. Raises MissingExtra."""
    extras.load("cyclonedx.model.bom")
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    root = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=ROOT,
        group=namespace,
        name=model.name,
        version=release.version,
        description=model.summary,
        licenses=_licence(release.licence),
        components=[_file(file) for file in release.files],
    )
    program = Component(
        type=ComponentType.APPLICATION, bom_ref="zoo", name="model-zoo-publisher", version=__version__
    )
    made = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"zoo-release:{key}"),
        metadata=BomMetaData(component=root, tools=ToolRepository(components=[program])),
    )
    parts = [*_ancestors(release.lineage), *_tools(release.tools)]
    made.components.update(parts)
    made.register_dependency(root, parts)
    data: _Made = json.loads(JsonV1Dot6(made).output_as_string())
    # The library adds the time; a release has none.
    data["metadata"].pop("timestamp", None)
    data["metadata"]["component"]["modelCard"] = _model_card(model, release)
    return pretty_json(data)


def _licence(expression: str) -> list[LicenseExpression]:
    from cyclonedx.model.license import LicenseExpression

    return [LicenseExpression(expression)]


def _hashes(sha256: str | None) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _file(file: ModelFile) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    facts = {
        "zoo:type": file.type,
        "zoo:size_bytes": str(file.size_bytes),
        "zoo:bits_per_weight": f"{file.bits_per_weight:.4f}",
    }
    return Component(
        type=ComponentType.FILE,
        bom_ref=f"file:{file.path}",
        name=file.path,
        hashes=_hashes(file.sha256),
        properties=[Property(name=name, value=value) for name, value in facts.items()],
    )


def _ancestors(lineage: Iterable[Ancestor]) -> Iterable[Component]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    for number, ancestor in enumerate(lineage):
        facts = {"zoo:role": ancestor.role} | (
            {"zoo:upstream": ancestor.upstream} if ancestor.upstream else {}
        )
        is_data = ancestor.role in PLACES
        yield Component(
            type=ComponentType.DATA if is_data else ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=_ref(number, ancestor),
            name=ancestor.source,
            licenses=_licence(ancestor.licence),
            hashes=_hashes(ancestor.sha256),
            properties=[Property(name=name, value=value) for name, value in facts.items()],
        )


def _ref(number: int, ancestor: Ancestor) -> str:
    return f"{ancestor.role}-{number}"


def _tools(tools: Iterable[str]) -> Iterable[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    for tool in tools:
        name, _, version = tool.partition(" ")
        yield Component(
            type=ComponentType.LIBRARY,
            bom_ref=f"tool:{name}",
            name=name,
            version=version,
            purl=PackageURL("pypi", name=name, version=version),
        )


def _model_card(model: Model, release: Release) -> dict[str, object]:
    """CycloneDX's model card of the released model."""
    data = [
        {"ref": _ref(number, ancestor)}
        for number, ancestor in enumerate(release.lineage)
        if ancestor.role in PLACES
    ]
    parameters: dict[str, object] = {
        "task": PIPELINE_TAGS.get(model.task, model.task),
        "architectureFamily": "transformer",
        "modelArchitecture": release.architecture.name,
        "inputs": [{"format": "text"}],
        "outputs": [{"format": "text"}],
    }
    if release.training:
        parameters["approach"] = {"type": "supervised"}
    if data:
        parameters["datasets"] = data
    considerations = {
        "useCases": list(model.good_at),
        "technicalLimitations": list(model.bad_at),
    }
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": {
            "performanceMetrics": [one for file in release.files for one in _metrics(file)]
        },
        "considerations": {name: words for name, words in considerations.items() if words},
    }


def _metrics(file: ModelFile) -> Iterable[dict[str, object]]:
    yield _metric("perplexity", file.path, file.perplexity, file.perplexity_se)
    if file.loss:
        yield _metric("kld_mean_nats", file.path, file.loss.kld_mean_nats, file.loss.kld_mean_se_nats)
        yield _metric("same_top_share", file.path, file.loss.same_top_share, file.loss.same_top_share_se)


def _metric(kind: str, path: str, value: float, standard_error: float) -> dict[str, object]:
    half = _STANDARD_ERRORS * standard_error
    interval = {"lowerBound": f"{value - half:.6g}", "upperBound": f"{value + half:.6g}"}
    return {"type": kind, "slice": path, "value": f"{value:.6g}", "confidenceInterval": interval}
