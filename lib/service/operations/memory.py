"""Memory that a job is done with goes back to the system, not into the next job's peak."""

from __future__ import annotations

import ctypes

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; other libraries give back by themselves


def give_back_memory() -> None:
    """What is no longer used, as far as the C library can."""
    if _TRIM is not None:
        _TRIM(0)
