"""Where the chance in a test comes from: a new seed every run, told by the test's name or failure, or the seed of a run to be repeated."""

from __future__ import annotations

import os
import random


def choose_seed(variable: str) -> int:
    """What the variable of the environment says, else a number below a million; processes that share the tests of one run draw the same."""
    told = os.environ.get(variable)
    return int(told) if told else random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1_000_000)
