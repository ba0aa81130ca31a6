"""Arrays as files for Kubernetes: an indexed Job for each, and a script that applies them in their order. Pure.

The format: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/. An index that fails stops no
other (backoffLimitPerIndex, in every cluster since Kubernetes 1.33).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from zoo.jobs.arrays import Array
from zoo.jobs.files import SUBMIT, Order, megabytes

TRIES_MORE = 2
"""How often an index starts again, if its node was lost or its process was killed."""
LABEL, PART = "app.kubernetes.io/part-of", "zoo"


def files(arrays: Sequence[Array], order: Order) -> dict[str, str]:
    """Name of every file -> its text. Kubernetes reads JSON as it reads YAML."""
    jobs = {f"{array.name}.json": json.dumps(job(array, order), indent=2) + "\n" for array in arrays}
    return {SUBMIT: "\n".join(_submit(arrays, order)) + "\n", **jobs}


def job(array: Array, order: Order) -> Mapping[str, object]:
    """One Job; each of its indexes is one task."""
    requests: dict[str, str] = {"cpu": str(order.threads)}
    limits: dict[str, str] = {}
    if array.memory_bytes is not None:
        requests["memory"] = limits["memory"] = f"{megabytes(array.memory_bytes)}Mi"
    if array.gpus:
        limits["nvidia.com/gpu"] = str(array.gpus)
    container = {
        "name": "zoo",
        "image": order.image,
        # $0 is "zoo"; the arguments of the indexes before this one are shifted away.
        "command": ["bash", "-c", 'shift "$JOB_COMPLETION_INDEX"; exec bash -c "$1"', "zoo"],
        "args": list(array.commands),
        "workingDir": order.root,
        # Tokens, such as ZOO_TEACHER_TOKEN, belong in a secret of this name; it may be missing.
        "envFrom": [{"secretRef": {"name": PART, "optional": True}}],
        "resources": {"requests": requests, "limits": limits},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "zoo", "mountPath": order.root}],
    }
    pod: dict[str, object] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "zoo", "persistentVolumeClaim": {"claimName": order.claim}}],
    }
    if array.alone:
        # It measures time, so no other pod of the zoo may be on its node.
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {LABEL: PART}}}
        pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    count = len(array.commands)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name_of(array), "labels": {LABEL: PART}, "annotations": {"zoo/written-by": order.written_by},
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": count,
            "parallelism": min(count, order.at_most or count),
            "backoffLimitPerIndex": TRIES_MORE,
            "template": {"metadata": {"labels": {LABEL: PART}}, "spec": pod},
        },
    }


def name_of(array: Array) -> str:
    """The name of its Job in the cluster."""
    return f"zoo-{array.name}"


_FUNCTIONS = r"""
state() {
  kubectl get job "$1" --ignore-not-found -o 'jsonpath={.status.conditions[?(@.status=="True")].type}'
}

start() {
  # A Job that has failed cannot start again; finished steps are not made again.
  case "$(state "$1")" in *Failed*) kubectl delete job "$1" ;; esac
  kubectl apply -f "$2"
}

finish() {
  for job in "$@"; do
    until state "$job" | grep -Eq 'Complete|Failed'; do sleep 10; done
    case "$(state "$job")" in *Failed*) echo "$job: some steps failed. See: kubectl logs -l job-name=$job" >&2 ;; esac
  done
}
"""


def _submit(arrays: Sequence[Array], order: Order) -> Iterator[str]:
    yield from (
        "#!/bin/bash",
        f"# Written by: {order.written_by}",
        "# Runs the Jobs level by level, in the namespace of kubectl's context. If it is interrupted, run it again.",
        "set -euo pipefail",
        'cd "$(dirname "$0")"',
        _FUNCTIONS.rstrip(),
        "",
    )
    if arrays:
        every = shlex.join(["kubectl", "delete", "job", "--ignore-not-found", *map(name_of, arrays)])
        yield f"echo {shlex.quote(f'To cancel everything, stop this script and run: {every}')}"
    for _, level in groupby(arrays, lambda array: array.level):
        together = list(level)
        yield from (f"start {shlex.quote(name_of(array))} {array.name}.json" for array in together)
        yield f"finish {shlex.join(map(name_of, together))}"
    yield f"echo {shlex.quote(f'All Jobs have ended. Run: {order.release}')}"
