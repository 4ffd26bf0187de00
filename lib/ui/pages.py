"""The declared table of pages: the sidebar, links between pages and the gate's links all read it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its name is its address; ``group`` is a heading of the sidebar; ``g`` and its ``letter`` lead to it."""

    name: str
    file: str
    icon: str
    letter: str
    group: str
    lead: str


PAGES: dict[str, Page] = {
    page.name: page
    for page in (
        Page(
            name="Home",
            file="Home.py",
            icon=":material/home:",
            letter="h",
            group="",
            lead="The whole road at a glance, and what needs a person.",
        ),
        Page(
            name="Import",
            file="pages/1_Import.py",
            icon=":material/upload:",
            letter="i",
            group="Data",
            lead="Bring a sheet into the table, after seeing what would change.",
        ),
        Page(
            name="Export",
            file="pages/2_Export.py",
            icon=":material/download:",
            letter="e",
            group="Data",
            lead="Write the table to a file, or to a Google sheet after seeing what would change.",
        ),
        Page(
            name="Workers",
            file="pages/3_Workers.py",
            icon=":material/memory:",
            letter="w",
            group="Pipeline",
            lead="The processes that do the work; pause, resume or drain them.",
        ),
        Page(
            name="Queue",
            file="pages/4_Queue.py",
            icon=":material/stacks:",
            letter="q",
            group="Pipeline",
            lead="What waits to be embedded, how fast it goes, and what failed.",
        ),
        Page(
            name="Index",
            file="pages/5_Index.py",
            icon=":material/hub:",
            letter="x",
            group="Pipeline",
            lead="The index that is served: facts, refresh, rebuild, and a search to try it.",
        ),
        Page(
            name="Settings",
            file="pages/6_Settings.py",
            icon=":material/settings:",
            letter="s",
            group="System",
            lead="How the service behaves, who changed it, and what people did.",
        ),
    )
}


def find_page(link: str) -> tuple[Page, dict[str, str]] | None:
    """The page and query parameters of a console link such as ``/Import?plan=…``; None for anything else."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    name = parts.path.strip("/") or "Home"
    page = next((page for page in PAGES.values() if page.name.lower() == name.lower()), None)
    return (page, dict(parse_qsl(parts.query))) if page else None
