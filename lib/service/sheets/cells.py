"""What a cell may hold, and what makes two records the same.

``disarm`` puts one apostrophe in front of text a spreadsheet would run as a formula (and of text that already looks
disarmed); ``rearm`` takes exactly that apostrophe away, so a round trip changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

#: Part of every hash: raise it when the way texts are put together changes, and everything is embedded anew.
TEMPLATE_VERSION = b"1"

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


def join_text(texts: Mapping[str, str]) -> str:
    """The text that is embedded: the text columns that hold something, one a line."""
    return "\n".join(text for text in texts.values() if text.strip())


def _digest(parts: list[str]) -> bytes:
    # Length before each part, so that moving a character from one column to the next is a change.
    digest = blake2b(TEMPLATE_VERSION, digest_size=16)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return digest.digest()


def hash_content(text: str) -> bytes:
    """16 bytes that change when what is embedded changes."""
    return _digest([text])


def hash_record(key: str, texts: Mapping[str, str], fields: Mapping[str, str]) -> bytes:
    """16 bytes that change when anything an import keeps changes; the order of columns does not count."""
    parts = [key, str(len(texts))]
    for columns in (texts, fields):
        for name in sorted(columns):
            parts += [name, columns[name]]
    return _digest(parts)
