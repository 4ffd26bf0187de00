"""Service accounts and their keys: made here, and believed only when the signature is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

#: What the assertion must be made for, whatever address it is sent to.
AUDIENCE = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class ServiceAccount:
    """``key_file`` is what a person downloads from Google; the public half stays here."""

    email: str
    key_file: dict[str, Any]
    public_pem: str


@cache
def _make_pair(number: int) -> tuple[str, str]:
    del number
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def make_account(email: str, number: int = 1) -> ServiceAccount:
    """An account and its key; another ``number``, another key."""
    private, public = _make_pair(number)
    key_file = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": f"key-{number}",
        "private_key": private,
        "client_email": email,
        "client_id": "1",
        "token_uri": AUDIENCE,
    }
    return ServiceAccount(email, key_file, public)


def verify(accounts: dict[str, ServiceAccount], form: dict[str, str]) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The claims of a signed assertion; or None, and the refusal in Google's words."""
    if form.get("grant_type") != _GRANT:
        return None, {"error": "unsupported_grant_type"}
    try:
        issuer = jwt.decode(form["assertion"], verify=False)["iss"]
    except (KeyError, ValueError):
        return None, {"error": "invalid_grant", "error_description": "Bad Request"}
    if issuer not in accounts:
        return None, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
    try:
        return jwt.decode(form["assertion"], certs=accounts[issuer].public_pem, audience=AUDIENCE), {}
    except ValueError:
        return None, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
