from __future__ import annotations

from pathlib import Path

import pytest

from lib.client.connection import Connection, connect_from_environment


def test_the_environment_says_where_and_with_what(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file\n")
    here = {"SWITCHYARD_DATA_DIR": str(tmp_path)}
    assert connect_from_environment(8501, here) == Connection("http://127.0.0.1:8501", "from the file")
    elsewhere = {**here, "SWITCHYARD_API_URL": "https://yard.example/", "SWITCHYARD_TOKEN": "given"}
    assert connect_from_environment(8501, elsewhere) == Connection("https://yard.example", "given")


def test_a_token_that_is_not_there_yet_is_no_token(tmp_path: Path) -> None:
    assert connect_from_environment(1, {"SWITCHYARD_DATA_DIR": str(tmp_path)}).token == ""


def test_nowhere_to_connect_to_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SWITCHYARD_API_URL"):
        connect_from_environment(None, {"SWITCHYARD_DATA_DIR": str(tmp_path)})


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(Connection("http://x", "secret"))
