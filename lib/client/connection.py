"""Where the service is and what lets us in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from lib.contract.environment import API_URL, TOKEN, default_data_dir, token_file

__all__ = ["Connection", "connect_from_environment"]


@dataclass(frozen=True)
class Connection:
    """The service's address without a trailing slash, the bearer token (empty: none), and how its certificate is checked."""

    base_url: str
    token: str = field(default="", repr=False)
    verify: bool | str = True

    def __post_init__(self) -> None:
        """A trailing slash would double in every URL."""
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))


def connect_from_environment(port: int | None, environ: Mapping[str, str] = os.environ) -> Connection:
    """The service of ``SWITCHYARD_API_URL``, else the embedded one on ``port`` of this machine.

    The token is ``SWITCHYARD_TOKEN``, else the file the embedded service keeps in the data folder. It is read
    anew by every call: a restarted service may have made another.
    """
    url = environ.get(API_URL) or (f"http://127.0.0.1:{port}" if port else "")
    if not url:
        raise ValueError(f"no service to connect to: {API_URL} is not set and no port was given")
    return Connection(url, environ.get(TOKEN) or _read_token_file(environ))


def _read_token_file(environ: Mapping[str, str]) -> str:
    try:
        return token_file(default_data_dir(environ)).read_text("utf-8").strip()
    except OSError:
        return ""  # not made yet, or not ours to read: the service answers 401 and says what to do
