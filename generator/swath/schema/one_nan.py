"""NaN is one object in all that is read, so that values with it can be compared.

NaN is not equal to itself, but Python's lists and mappings take the same object as equal. DVC calls a parameter that is
NaN modified for ever; here it would also keep a pipeline's results from being recorded.
"""

from __future__ import annotations

import math
from typing import Any


def with_one_nan(value: Any) -> Any:
    """`value` with `math.nan` for each NaN in it."""
    if isinstance(value, float):
        return math.nan if math.isnan(value) else value
    if isinstance(value, dict):
        return {with_one_nan(key): with_one_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_one_nan(item) for item in value]
    return tuple(with_one_nan(item) for item in value) if isinstance(value, tuple) else value
