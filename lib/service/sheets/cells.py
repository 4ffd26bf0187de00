"""What of a record is embedded, and what makes two records the same."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

#: Part of every hash: raise it when the way texts are put together changes, and everything is embedded anew.
TEMPLATE_VERSION = b"1"


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
