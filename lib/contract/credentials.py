"""Secrets on their way in, and what may be said about them afterwards: never the secret itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from lib.contract.model import Reading, Request
from lib.contract.states import CredentialKind

#: A service account's key file has about 2,400.
MAX_SECRET_CHARACTERS = 20_000


class CredentialsChange(Request):
    """Give the service a secret: its text, or the path of a file on the service's machine that holds it."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an error must not quote the secret

    kind: CredentialKind
    content: str | None = Field(None, min_length=1, max_length=MAX_SECRET_CHARACTERS, repr=False)
    path: str | None = Field(None, pattern=r"^/[^\x00]*$", max_length=1000)

    @model_validator(mode="after")
    def _one_of_both(self) -> CredentialsChange:
        if (self.content is None) == (self.path is None):
            raise ValueError("give either the content or the path")
        return self


class CredentialsReading(Reading):
    """What may be known of a stored secret. ``account`` is the service account's e-mail; others have none."""

    kind: CredentialKind
    account: str | None = None
    origin: Literal["uploaded", "registered"]
    changed_at: datetime
    changed_by: str
