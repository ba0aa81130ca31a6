"""llama.cpp's named file types: one row each. Adding a type is adding a row.

The recipe's schema, the checks, the costs, the quantizer and the search use this table. Numbers and base types are
those of llama.h (``llama_ftype``) and of ``llama_ftype_get_default_type``; a test compares them with llama.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Quant:
    """A file type. number: in llama_ftype. base: the type of most tensors. nominal_bits: per weight, for estimates
    only; reports hold the real ones.

    needs_imatrix: llama.cpp refuses to make it without an importance matrix. made: a ladder may have it; the others are
    types of exported files. compared: a search of a byte budget is measured against it.
    """

    number: int
    base: str
    nominal_bits: float
    needs_imatrix: bool = False
    made: bool = True
    compared: bool = False

    @property
    def ggml_type(self) -> str:
        """The base type as ggml writes it: ``q4_K``."""
        return self.base[0].lower() + self.base[1:]


QUANTS: Mapping[str, Quant] = {
    "F32": Quant(0, "F32", 32.0, made=False),
    "F16": Quant(1, "F16", 16.0, made=False),
    "BF16": Quant(32, "BF16", 16.0, made=False),
    "Q8_0": Quant(7, "Q8_0", 8.5, compared=True),
    "Q6_K": Quant(18, "Q6_K", 6.6, compared=True),
    "Q5_K_M": Quant(17, "Q5_K", 5.7, compared=True),
    "Q5_K_S": Quant(16, "Q5_K", 5.5),
    "Q5_1": Quant(9, "Q5_1", 6.0, compared=True),
    "Q5_0": Quant(8, "Q5_0", 5.5, compared=True),
    "Q4_K_M": Quant(15, "Q4_K", 4.9, compared=True),
    "Q4_K_S": Quant(14, "Q4_K", 4.6, compared=True),
    "Q4_1": Quant(3, "Q4_1", 5.0, compared=True),
    "Q4_0": Quant(2, "Q4_0", 4.6, compared=True),
    "IQ4_NL": Quant(25, "IQ4_NL", 4.6, compared=True),
    "IQ4_XS": Quant(30, "IQ4_XS", 4.3, compared=True),
    "MXFP4_MOE": Quant(38, "MXFP4", 4.3),
    "Q3_K_L": Quant(13, "Q3_K", 4.3),
    "Q3_K_M": Quant(12, "Q3_K", 3.9, compared=True),
    "Q3_K_S": Quant(11, "Q3_K", 3.5),
    "IQ3_M": Quant(27, "IQ3_S", 3.7),
    "IQ3_S": Quant(26, "IQ3_S", 3.5),
    "IQ3_XS": Quant(22, "IQ3_S", 3.3, needs_imatrix=True),
    "IQ3_XXS": Quant(23, "IQ3_XXS", 3.1, needs_imatrix=True),
    "Q2_K": Quant(10, "Q2_K", 3.0, compared=True),
    "Q2_K_S": Quant(21, "Q2_K", 2.8, needs_imatrix=True),
    "Q2_0": Quant(41, "Q2_0", 2.3),
    "IQ2_M": Quant(29, "IQ2_S", 2.7, needs_imatrix=True),
    "IQ2_S": Quant(28, "IQ2_XS", 2.5, needs_imatrix=True),
    "IQ2_XS": Quant(20, "IQ2_XS", 2.4, needs_imatrix=True),
    "IQ2_XXS": Quant(19, "IQ2_XXS", 2.1, needs_imatrix=True),
    "TQ2_0": Quant(37, "TQ2_0", 2.1),
    "TQ1_0": Quant(36, "TQ1_0", 1.7),
    "IQ1_M": Quant(31, "IQ1_M", 1.8, needs_imatrix=True),
    "IQ1_S": Quant(24, "IQ1_S", 1.6, needs_imatrix=True),
    "Q1_0": Quant(40, "Q1_0", 1.2),
}
"""Every file type by its name, from many bits to few."""

LADDER = tuple(name for name, quant in QUANTS.items() if quant.made)
"""Types that a recipe's ladder may name."""

NEED_IMATRIX = frozenset(name for name, quant in QUANTS.items() if quant.needs_imatrix)
"""File types that llama.cpp refuses to make without an importance matrix."""
