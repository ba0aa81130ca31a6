"""imatrix: how strongly real text activates each column of each weight matrix, from the exported file."""

from __future__ import annotations

from catalog.jsonvalues import whole
from zoo.files.digests import sha256_file
from zoo.llama.measure import calibrate
from zoo.machine.resources import free_cores
from zoo.stages import Context, Facts
from zoo.stages.artifact import IMATRIX_FILE, MODEL_FILE
from zoo.stages.texts import kept, texts


def run(context: Context) -> Facts:
    """Writes ``imatrix.gguf`` in llama.cpp's format; its texts are named by their path in the zoo."""
    corpus = context.inputs["texts"]
    imatrix = calibrate.collect(
        context.inputs["model"].path(MODEL_FILE),
        texts(corpus, "calibration", by_path=True),
        threads=free_cores(context.threads),
        window_tokens=whole(context.spec["window_tokens"]),
        report=context.report,
    )
    imatrix.write(context.out / IMATRIX_FILE)
    return {
        "sha256": sha256_file(context.out / IMATRIX_FILE),
        "matrices": len(imatrix.sums),
        "windows": imatrix.chunk_count,
        "window_tokens": imatrix.chunk_tokens,
        "texts": [{"path": file.path, "sha256": file.sha256} for file in kept(corpus, "calibration")],
    }
