"""What is known at one moment, and what of it needs a person: the words that rules and pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.contract.checks import CheckRequest
from lib.contract.events import JobsReading
from lib.contract.index import IndexReading
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading
from lib.contract.workers import Worker, WorkersReading
from lib.ui.marks import Tone


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that is known at one moment; None is "not known", never "nothing"."""

    queue: QueueReading | None
    workers: WorkersReading | None
    jobs: JobsReading | None
    index: IndexReading | None
    settings: SettingsReading | None
    now: datetime


class Act(StrEnum):
    """A next step that can be taken at once, because it is reversible or only looks; before any other there is something to read."""

    RESUME = "resume"  #: the finding's ``workers``
    REFRESH = "refresh"  #: the index
    CHECK = "check"  #: what the finding's ``check`` says


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing for a person: what, the evidence, what it leads to, the safest next step and the one button that takes it.

    ``button`` is what it says; it does ``act`` in place, or leads to ``link``, where the thing is seen to.
    ``cause`` is one word for the root cause; with ``banner`` it also stands at the top of the ``pages`` it affects, once per cause.
    """

    cause: str
    tone: Tone
    icon: str
    what: str
    evidence: str
    impact: str
    step: str
    button: str
    link: str
    pages: frozenset[str]
    banner: bool = False
    act: Act | None = None
    workers: tuple[Worker, ...] = ()
    check: CheckRequest | None = None


@dataclass(frozen=True)
class Rule:
    """One thing that is looked at: ``checks`` in the words of the empty state, ``quiet`` when it found nothing.

    ``needs`` names the readings without which nothing can be said.
    """

    checks: str
    quiet: str
    needs: tuple[str, ...]
    find: Callable[[Readings], Iterable[Finding]]
