"""Which routes change something."""

from __future__ import annotations

from typing import Any


def mutating(document: dict[str, Any]) -> set[str]:
    """Operation ids of every route that is more than a question: it does not read, and a viewer may not use it."""
    return {
        route["operationId"]
        for methods in document["paths"].values()
        for method, route in methods.items()
        if method in {"post", "put", "patch", "delete"} and route.get("x-role") != "viewer"
    }
