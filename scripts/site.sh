#!/usr/bin/env bash
# Builds the site that GitHub Pages publishes: the recorded catalog with the files of its releases. Missing weights are made
# by the recipes, and the engine of the page "try" comes from npm.
set -euo pipefail
cd "$(dirname "$0")/.."
python scripts/recorded.py restore build/weights || {
  make gemma
  .venv/bin/python scripts/recorded.py restore build/weights --make
}
mkdir -p build/npm
python -c 'from zoo.site.tryout import PACKAGES; print(*(f"{p.name}@{p.version}" for p in PACKAGES))' |
  xargs npm pack --pack-destination build/npm
zoo site build
