"""Settings, the secrets behind them, and whether both work."""

from __future__ import annotations

from lib.client.paths import path_of
from lib.client.transport import Call, Transport, read
from lib.contract.checks import CheckRequest, ChecksReading
from lib.contract.credentials import CredentialsChange, CredentialsReading
from lib.contract.settings import SettingChange, SettingReading, SettingsReading, SettingValue
from lib.contract.states import CredentialKind

#: The service gives Google its own time-outs; its answer takes as long as they do.
SLOW = (3.05, 60.0)


class SettingsClient:
    """The part of the client that is about how the service behaves."""

    transport: Transport

    def list_settings(self) -> SettingsReading:
        """Every setting, in the declared order, with the stored credentials and the last checks."""
        return self.transport.get(SettingsReading, "/api/settings")

    def put_setting(self, name: str, value: SettingValue, expected: SettingValue | None = None) -> SettingReading:
        """Change one setting; Conflict when it no longer has the ``expected`` value."""
        return self.transport.put(SettingReading, path_of("/api/settings", name), SettingChange(value=value, expected=expected))

    def put_credentials(self, change: CredentialsChange) -> CredentialsReading:
        """Store a secret; Invalid when it does not pass its checks, and then what was stored before stays."""
        return read(CredentialsReading, self.transport.send(Call("PUT", "/api/settings/credentials", body=change, timeout=SLOW)))

    def delete_credentials(self, kind: CredentialKind) -> None:
        """Forget a secret; of a registered file only the registration."""
        self.transport.send(Call("DELETE", path_of("/api/settings/credentials", kind)))

    def check_settings(self, request: CheckRequest) -> ChecksReading:
        """Try the Google key, and a sheet with it."""
        return read(ChecksReading, self.transport.send(Call("POST", "/api/settings/check", body=request, timeout=SLOW)))
