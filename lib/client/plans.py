"""Plans: page by page, ticked and unticked, and their bad rows as a file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from lib.client.paths import path_of
from lib.client.transport import Call, Transport
from lib.contract.imports import Plan
from lib.contract.plans import RowFilter, TickRequest

#: Rows per page of a plan, unless asked otherwise.
LIMIT = 50


class PlansClient:
    """The part of the client that reads plans."""

    transport: Transport

    def get_plan(self, plan_id: str, wanted: RowFilter | None = None, limit: int = LIMIT, cursor: str | None = None) -> Plan:
        """A plan with one page of its rows; ``limit`` 0 leaves the rows out."""
        narrowed = wanted.model_dump(mode="json", exclude_none=True) if wanted else {}
        if "ticked" in narrowed:
            narrowed["ticked"] = str(narrowed["ticked"]).lower()
        return self.transport.get(Plan, path_of("/api/plans", plan_id), narrowed | {"limit": limit, "cursor": cursor})

    def tick_rows(self, plan_id: str, request: TickRequest) -> Plan:
        """Tick or untick rows of a plan; the plan without its rows."""
        return self.transport.put(Plan, path_of("/api/plans", plan_id, "ticks"), request)

    def download_bad_rows(self, plan_id: str, path: Path) -> Path:
        """The invalid rows of a plan, as CSV, at ``path``."""
        path.write_bytes(self.transport.send(Call("GET", bad_rows_path(plan_id))).content)
        return path

    def bad_rows_link(self, plan_id: str, ticket: str, base_url: str = "") -> str:
        """The address a browser downloads the bad rows from; without ``base_url``, on the same site."""
        return f"{base_url}{bad_rows_path(plan_id)}?{urlencode({'ticket': ticket})}"


def bad_rows_path(plan_id: str) -> str:
    """The API path of a plan's bad rows; what a ticket for them is made for."""
    return path_of("/api/plans", plan_id, "bad-rows")
