"""Who is asking."""

from __future__ import annotations

from lib.contract.model import Reading
from lib.contract.states import Role


class IdentityReading(Reading):
    """The identity the service sees behind a token: the name the audit will carry, and what it may do."""

    actor: str
    role: Role
