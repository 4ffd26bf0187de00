"""What the server does once before the first page: pay for the heavy imports, and take them out of the collector's way."""

from __future__ import annotations

import gc


def warm_up() -> None:
    """Import what every page needs, then freeze it.

    Streamlit collects garbage after each script run; walking the libraries' 140,000 lasting objects costs 100 ms of CPU
    each time, with every other session and the API waiting.
    """
    import altair  # noqa: F401, ICN001
    import pandas  # noqa: F401, ICN001
    import pyarrow  # noqa: F401, ICN001

    gc.collect()
    gc.freeze()
