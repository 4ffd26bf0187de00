"""Cells that a spreadsheet would run as a formula, and how they are kept from it.

``disarm`` puts one apostrophe in front of text a spreadsheet would run as a formula (and of text that already looks
disarmed); ``rearm`` takes exactly that apostrophe away, so a round trip changes nothing.
"""

from __future__ import annotations

import re

_RUNS = "=+-@\t\r\n\x00＝＋－＠"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")


def disarm(cell: str) -> str:
    """``cell``, safe to open in a spreadsheet; plain numbers such as -5 stay as they are."""
    bare = cell.lstrip("'")
    runs = bool(bare) and (bare[0] in _RUNS or bare.lstrip(" ")[:1] in ("=", "+", "-", "@"))
    return f"'{cell}" if runs and not (bare == cell and _NUMBER.match(cell)) else cell


def escape(cell: str) -> str:
    """``cell`` as it is, for machines; only text that looks disarmed gets its apostrophe, which the import takes away again."""
    return cell if rearm(cell) == cell else f"'{cell}"


def rearm(cell: str) -> str:
    """What :func:`disarm` or :func:`escape` was given."""
    if not cell.startswith("'"):
        return cell
    bare = cell[1:]
    return bare if disarm(bare) == cell else cell
