"""Stored secrets as files: read here by whoever needs one, written and checked in ``credentials``."""

from __future__ import annotations

from lib.contract.states import CredentialKind
from lib.service.config import Config


def read_secret(config: Config, kind: CredentialKind) -> str | None:
    """The secret of this kind; None when there is none that can be read."""
    try:
        return (config.credentials_dir / kind).read_text("utf-8").strip() or None
    except (OSError, UnicodeError):
        return None
