"""Reads a folder of records with ``datasets`` and with ``mlcroissant``, in an environment that has only these two.

    python readers.py FOLDER CACHE

Prints JSON: what each of the two reads, and what mlcroissant finds wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import datasets
import mlcroissant


def rows(folder: Path, cache: str) -> dict[str, list[Any]]:
    """By configuration and split, what ``load_dataset`` gives."""
    found = {}
    for config in datasets.get_dataset_config_names(str(folder)):
        for split, loaded in datasets.load_dataset(str(folder), config, cache_dir=cache).items():
            assert loaded.num_rows == loaded.info.splits[split].num_examples
            found[f"{config}.{split}"] = list(loaded)
    return found


def told(folder: Path) -> dict[str, Any]:
    """What ``mlcroissant`` says about the metadata, and the records that it reads by them."""
    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    issues = dataset.metadata.issues
    records = {
        one.name: [
            {key: value.decode() if isinstance(value, bytes) else str(value) for key, value in record.items()}
            for record in dataset.records(one.name)
        ]
        for one in dataset.metadata.record_sets
    }
    return {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "records": records}


def main() -> None:
    """Print what both read."""
    folder = Path(sys.argv[1])
    sys.stdout.write("\n" + json.dumps({"rows": rows(folder, sys.argv[2]), **told(folder)}) + "\n")


if __name__ == "__main__":
    main()
