"""Addresses of the operations API."""

from __future__ import annotations

from urllib.parse import quote


def path_of(root: str, *parts: str) -> str:
    """``root`` and the parts below it, whatever characters an id may hold."""
    return "/".join((root, *(quote(part, safe="") for part in parts)))
