#!/bin/bash
# Measures the rows of benchmarks/gpu on the GPU of this machine, without a network, in at most eight minutes.
# Usage: benchmarks/gpu/run.sh [OUT.json]. Without a GPU every row is empty. PYTHON names another python.
# With --tiny as the second argument, all rows run with tiny shapes on a processor, which shows only that they run.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-benchmarks/results/gpu.json}
exec timeout --kill-after=10 480 "${PYTHON:-.venv/bin/python}" -m benchmarks.gpu.rows --out "$out" "${@:2}"
