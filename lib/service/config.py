"""What a process is given at start, from the environment; frozen."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lib.contract.environment import default_data_dir


class Config(BaseSettings):
    """The ``SWITCHYARD_*`` variables (see ``contract.environment``) and the folders that follow from them."""

    model_config = SettingsConfigDict(env_prefix="SWITCHYARD_", frozen=True, extra="ignore", arbitrary_types_allowed=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = ""
    token: str = ""
    environment: str = "local"
    workers: int = Field(2, ge=0, le=32)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the one database that holds our tables and the engine's."""
        if self.database_url:
            return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        return f"sqlite:///{self.data_dir / 'switchyard.sqlite'}"

    @property
    def uploads_dir(self) -> Path:
        """Files on their way in, named by upload id."""
        return self.data_dir / "uploads"

    @property
    def exports_dir(self) -> Path:
        """Files to download, named by export id."""
        return self.data_dir / "exports"

    @property
    def index_dir(self) -> Path:
        """The generations of the index."""
        return self.data_dir / "index"

    @property
    def snapshots_dir(self) -> Path:
        """Saved copies of generations, named by snapshot id."""
        return self.data_dir / "snapshots"

    @property
    def quarantine_dir(self) -> Path:
        """Index files from outside, named by the job that inspects them."""
        return self.data_dir / "quarantine"

    @property
    def rehearsals_dir(self) -> Path:
        """Shadow indexes of changes that were tried and not made, named by the job that tried them."""
        return self.data_dir / "rehearsals"

    @property
    def maps_dir(self) -> Path:
        """Maps of the index, named by the job that laid them out."""
        return self.data_dir / "maps"

    @property
    def logs_dir(self) -> Path:
        """One JSON-lines file per process."""
        return self.data_dir / "logs"

    @property
    def credentials_dir(self) -> Path:
        """One secret per file, named by its kind, readable by this user only."""
        return self.data_dir / "credentials"

    def create_folders(self) -> None:
        """Make the data folder and its parts, readable by this user only."""
        index = (self.index_dir, self.snapshots_dir, self.quarantine_dir, self.rehearsals_dir, self.maps_dir)
        for folder in (self.data_dir, self.uploads_dir, self.exports_dir, *index, self.logs_dir, self.credentials_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
