"""Names that people have to type before something is done."""

from __future__ import annotations

from unicodedata import normalize


def is_typed(typed: str, name: str) -> bool:
    """Whether that is the name as a page shows it: signs that are not seen, and how many spaces there are, need not be typed."""
    seen = _as_seen(name)
    return _as_seen(typed) == seen if seen else typed == name


def is_seen(name: str) -> bool:
    """Whether a page would show anything of it."""
    return bool(_as_seen(name))


def _as_seen(name: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " * each.isspace() for each in normalize("NFC", name)).split())
