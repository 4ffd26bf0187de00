"""Where the console itself can take one: pages, actions, settings and failure causes, found without asking the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lib.contract.places import Place, PlaceKind
from lib.contract.queue import CAUSES
from lib.contract.settings import SETTINGS
from lib.ui.pages import PAGES

#: What people may want to do → where it is done. None of these is done by going there.
ACTIONS: tuple[tuple[str, str, str], ...] = (
    ("Import a sheet", "/Import", "upload"),
    ("Load the sample sheet", "/Import?upload=sample", "play_arrow"),
    ("Export the table", "/Export", "download"),
    ("Pause or resume workers", "/Workers", "pause_circle"),
    ("Drain workers", "/Workers", "downloading"),
    ("Retry or discard failed rows", "/Queue", "replay"),
    ("Search the index", "/Index", "search"),
    ("Rebuild the index", "/Index", "construction"),
    ("Take a snapshot", "/Index", "photo_camera"),
    ("Read what people did (audit)", "/Settings?tab=Audit", "history"),
)

_ICONS = {
    PlaceKind.JOB: "work_history",
    PlaceKind.PLAN: "fact_check",
    PlaceKind.SNAPSHOT: "photo_camera",
    PlaceKind.FAILURE: "error",
    PlaceKind.ENTRY: "table_rows",
}


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One line of the list: ``kind`` is the word before it, ``link`` an address of the console."""

    kind: str
    title: str
    detail: str
    link: str
    icon: str


def destination_of(place: Place) -> Destination:
    """What the service found, as a line of the list."""
    word = "row" if place.kind is PlaceKind.ENTRY else "failed row" if place.kind is PlaceKind.FAILURE else place.kind.value
    return Destination(kind=word, title=place.title, detail=place.detail, link=place.link, icon=_ICONS[place.kind])


def find_destinations(text: str) -> list[Destination]:
    """Those that hold every word of ``text``; titles that begin with it come first, all pages when it is empty."""
    words = text.lower().split()
    if not words:
        return [each for each in _all() if each.kind == "page"]
    found = [each for each in _all() if all(word in f"{each.kind} {each.title} {each.detail}".lower() for word in words)]
    return sorted(found, key=lambda each: (not each.title.lower().startswith(words[0]), words[0] not in each.title.lower()))


@cache
def _all() -> tuple[Destination, ...]:
    return tuple(_declared())


def _declared() -> Iterator[Destination]:
    for page in PAGES.values():
        icon = page.icon.removeprefix(":material/").removesuffix(":")
        yield Destination(kind="page", title=page.name, detail=page.lead, link=f"/{'' if page.name == 'Home' else page.name}", icon=icon)
    for title, link, icon in ACTIONS:
        yield Destination(kind="action", title=title, detail="", link=link, icon=icon)
    for cause, (meaning, _) in CAUSES.items():
        words = cause.value.replace("_", " ")
        yield Destination(kind="failures", title=words, detail=meaning, link=f"/Queue?cause={words.replace(' ', '+')}", icon="error")
    for setting in SETTINGS.values():
        yield Destination(kind="setting", title=setting.title, detail=setting.name, link="/Settings", icon="settings")
