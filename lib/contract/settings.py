"""The declared table of everything an operator may change while the service runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import StrictInt, StrictStr

from lib.contract.checks import Check
from lib.contract.credentials import CredentialsReading
from lib.contract.model import Reading, Request
from lib.contract.states import EmbedderKind, RefreshMode

SettingValue = int | str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: declared once; validation, the settings page, the README table and a test all read this."""

    name: str
    section: Literal["Import", "Embedding", "Index", "Export", "Sheets"]
    title: str
    help: str
    default: SettingValue
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""  #: of a line of text: what the whole of it must match, and below that in words
    pattern_words: str = ""

    def check(self, value: SettingValue) -> str | None:
        """Why ``value`` is not acceptable, in words; None when it is."""
        if self.choices:
            return None if value in self.choices else f"{self.title} must be one of: {', '.join(self.choices)}."
        if self.pattern:
            fits = isinstance(value, str) and re.fullmatch(self.pattern, value)
            return None if fits else f"{self.title} must be {self.pattern_words}."
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{self.title} must be a whole number."
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            return f"{self.title} must lie between {self.minimum:,} and {self.maximum:,} {self.unit}."
        return None


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            name="import.max_upload_mib",
            section="Import",
            title="Largest upload",
            help="A bigger file is refused before its first byte.",
            default=512,
            unit="MiB",
            minimum=1,
            maximum=4096,
        ),
        Setting(
            name="import.plan_hours",
            section="Import",
            title="A plan is good for",
            help="After this many hours a plan can no longer be applied: make a new one.",
            default=24,
            unit="hours",
            minimum=1,
            maximum=24 * 30,
        ),
        Setting(
            name="embedding.batch_size",
            section="Embedding",
            title="Batch size",
            help="Rows a worker takes at once. Larger is faster; smaller stops sooner when you pause.",
            default=1024,
            unit="rows",
            minimum=1,
            maximum=8192,
        ),
        Setting(
            name="embedding.lease_seconds",
            section="Embedding",
            title="Lease",
            help="How long a worker may stay silent about a batch before its rows go back to the queue.",
            default=60,
            unit="seconds",
            minimum=5,
            maximum=3600,
        ),
        Setting(
            name="embedding.max_attempts",
            section="Embedding",
            title="Attempts",
            help="How often a row is tried before it counts as failed.",
            default=3,
            unit="attempts",
            minimum=1,
            maximum=20,
        ),
        Setting(
            name="embedding.embedder",
            section="Embedding",
            title="Embedder",
            help="wordllama: on this machine, offline. openai: a service that speaks OpenAI's /v1/embeddings.",
            default=EmbedderKind.WORDLLAMA.value,
            choices=tuple(kind.value for kind in EmbedderKind),
        ),
        Setting(
            name="embedding.url",
            section="Embedding",
            title="Embedding service",
            help="Where the service of the embedder openai is. The default is an Ollama on this machine.",
            default="http://127.0.0.1:11434/v1",
            pattern=r"https?://[^\s@?#]{1,300}",
            pattern_words="an address like http://127.0.0.1:11434/v1, without a key in it",
        ),
        Setting(
            name="embedding.model",
            section="Embedding",
            title="Embedding model",
            help="The model's name, as that service knows it.",
            default="nomic-embed-text",
            pattern=r"[\x21-\x7e]{1,200}",
            pattern_words="a model's name without spaces",
        ),
        Setting(
            name="embedding.dimension",
            section="Embedding",
            title="Dimension",
            help="How many components that model's vectors have; other vectors are refused.",
            default=768,
            unit="components",
            minimum=1,
            maximum=8192,
        ),
        Setting(
            name="index.refresh",
            section="Index",
            title="Index refresh",
            help="Automatic: new vectors become searchable by themselves. Manual: only when you press Refresh or Rebuild.",
            default=RefreshMode.AUTOMATIC.value,
            choices=tuple(mode.value for mode in RefreshMode),
        ),
        Setting(
            name="index.exact_upto",
            section="Index",
            title="Exact up to",
            help="With more vectors each is kept in a quarter of the space, and a search misses about one of a hundred.",
            default=200_000,
            unit="vectors",
            minimum=1,
            maximum=100_000_000,
        ),
        Setting(
            name="index.lists_above",
            section="Index",
            title="In lists above",
            help="With more vectors a search looks only into the lists nearest to it: faster, and it misses about one of ten.",
            default=1_500_000,
            unit="vectors",
            minimum=1,
            maximum=1_000_000_000,
        ),
        Setting(
            name="index.max_snapshot_mib",
            section="Index",
            title="Largest index file",
            help="A bigger FAISS file or snapshot is refused before its first byte.",
            default=4096,
            unit="MiB",
            minimum=1,
            maximum=65_536,
        ),
        Setting(
            name="export.keep_days",
            section="Export",
            title="Keep export files for",
            help="Older files are removed; the export can be made again at any time.",
            default=7,
            unit="days",
            minimum=1,
            maximum=365,
        ),
        Setting(
            name="sheets.api_url",
            section="Sheets",
            title="Address of the Sheets API",
            help="Empty: Google itself. An address on this machine sends every call to an emulator instead, for tests.",
            default="",
            pattern=r"|http://(127\.0\.0\.1|localhost):\d{1,5}",
            pattern_words="empty, or http://127.0.0.1:<port>",
        ),
    )
}


#: What decides which embedder is used; all but the address also decide what vectors it makes.
EMBEDDER_SETTINGS = ("embedding.embedder", "embedding.url", "embedding.model", "embedding.dimension")


class SettingReading(Reading):
    """One setting as it stands; ``changed_by`` is null while it has its default."""

    name: str
    value: SettingValue
    default: SettingValue
    changed_at: datetime | None = None
    changed_by: str | None = None


class SettingsReading(Reading):
    """Every setting, in the declared order; which secrets are stored, and how each check last ended."""

    settings: list[SettingReading]
    credentials: list[CredentialsReading] = []
    checks: list[Check] = []
    taken_at: datetime

    def value_of(self, name: str) -> SettingValue:
        """The value of the setting called ``name``; KeyError when there is none."""
        return {setting.name: setting.value for setting in self.settings}[name]


class SettingChange(Request):
    """Change one setting. ``expected`` is the value the person saw; 409 when it has changed since."""

    value: StrictInt | StrictStr
    expected: StrictInt | StrictStr | None = None
