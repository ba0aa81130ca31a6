"""An in-toto statement with SLSA provenance: which files, from which recipe and inputs, by which builder and tools.

Formats: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and https://slsa.dev/spec/v1.0/provenance.
The statement is not signed by itself; the signature of a release covers it as it covers every other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from catalog import sources
from catalog.release import Ancestor, Release
from zoo import __version__
from zoo.files.listing import FileRecord

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://model-zoo-publisher.github.io/build-types/zoo-release/v1"

_CORPUS = re.compile(r"(?P<path>\S+) \(.*\)\Z", re.DOTALL)


@dataclass(frozen=True)
class Build:
    """How a release was built.

    steps: id, stage and key of each step of the plan. builder: the builder's URI. key: the digest that identifies the
    release folder. revisions: commits of ``hf:`` sources by URI.
    """

    steps: Sequence[Mapping[str, str]]
    builder: str
    key: str
    revisions: Mapping[str, str]


def statement(
    release: Release, name: str, subjects: Mapping[str, Sequence[FileRecord]], build: Build
) -> dict[str, object]:
    """The statement of a release. subjects: files by repository (NAMESPACE/NAME)."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": f"{repository}/{file.path}", "digest": {"sha256": file.sha256}}
            for repository, files in subjects.items()
            for file in sorted(files)
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "name": name,
                    "version": release.version,
                    "recipe": {"name": release.recipe.file, "digest": {"sha256": release.recipe.sha256}},
                },
                "internalParameters": {"steps": [dict(step) for step in build.steps]},
                "resolvedDependencies": [
                    *(_input(ancestor, build.revisions.get(ancestor.source)) for ancestor in release.lineage),
                    *_tools(release.tools),
                ],
            },
            "runDetails": {
                "builder": {"id": build.builder, "version": {"model-zoo-publisher": __version__}},
                "metadata": {"invocationId": build.key},
                "byproducts": [
                    {
                        "name": f"{file.path} without the words of its header, as it was measured",
                        "digest": {"sha256": file.measured_sha256},
                    }
                    for file in release.files
                    if file.measured_sha256
                ],
            },
        },
    }


def _input(ancestor: Ancestor, revision: str | None) -> dict[str, object]:
    """An input as a resource descriptor. Paths are those of the recipe, from the zoo's folder."""
    found: dict[str, object] = {"name": ancestor.role, "uri": ancestor.source}
    digest = {"sha256": ancestor.sha256} if ancestor.sha256 else {}
    if ancestor.source.startswith("hf:"):
        source = sources.parse(ancestor.source)
        if isinstance(source, sources.HubSource):
            found["uri"] = f"https://huggingface.co/{source.repo}"
            if commit := (source.revision if source.pinned else revision):
                digest["gitCommit"] = commit
            if source.file:
                found["name"] = f"{ancestor.role} {source.file}"
    elif corpus := _CORPUS.match(ancestor.source):
        found["uri"] = f"file:{corpus['path']}"
    if digest:
        found["digest"] = digest
    annotations = {"licence": ancestor.licence} | (
        {"upstream": ancestor.upstream} if ancestor.upstream else {}
    )
    return found | {"annotations": annotations}


def _tools(tools: Iterable[str]) -> Iterator[dict[str, str]]:
    for tool in tools:
        name, _, version = tool.partition(" ")
        # As the bill of materials writes it (https://github.com/package-url/purl-spec): a plus is encoded.
        yield {"name": name, "uri": f"pkg:pypi/{quote(name)}@{quote(version)}"}
