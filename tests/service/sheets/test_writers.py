"""Each format holds every cell as it is, or refuses it by name."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from lib.contract.exports import ExportFormat, FileTarget
from lib.contract.formulas import rearm
from lib.service.sheets import writers
from lib.service.sheets.writers import DoesNotFit, open_writer, why_not_in_xlsx

CELL = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    st.sampled_from(
        [
            "001",
            "12345678901234567890",
            "=1+1",
            "-5",
            "@x",
            "\tx",
            "'=1",
            "''=1",
            "🐎",
            "a\r\nb",
            "\r",
            " x ",
            "NA",
            "2024-01-02",
            "_x000D_",
        ]
    ),
    st.sampled_from(["TRUE", "1e5", "http://example.org", "\x01\x1f", "_x005F_x0041_", "\ufffe", "<&>", "\u2028", "x" * 20_000]),
)
TABLE = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=6))


def write(path: Path, target: FileTarget, table: list[list[str]]) -> None:
    with open_writer(path, target, table[0]) as writer:
        for row in table[1:]:
            writer.write_row(row)


def read(path: Path, target: FileTarget) -> list[list[str]]:
    """The cells as another program finds them."""
    match target.format:
        case ExportFormat.CSV:
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.reader(file))
        case ExportFormat.XLSX:
            sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
            return [[str(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
        case ExportFormat.PARQUET:
            found = pq.read_table(path)
            assert {str(kind) for kind in found.schema.types} == {"string"}
            return [found.schema.names, *(list(row.values()) for row in found.to_pylist())]


@pytest.mark.feature("E1")
@pytest.mark.feature("E5")
@pytest.mark.parametrize("written_as", ExportFormat)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=TABLE, safe=st.booleans())
def test_every_cell_comes_back_as_it_was_or_is_refused(
    tmp_path: Path, written_as: ExportFormat, table: list[list[str]], safe: bool
) -> None:
    target, path = FileTarget(format=written_as, spreadsheet_safe=safe), tmp_path / "file"
    table[0] = [f"{name}{place}" for place, name in enumerate(table[0])]  # names differ, as those of a table do
    if written_as is ExportFormat.XLSX and any(why_not_in_xlsx(cell) for row in table for cell in row):
        with pytest.raises(DoesNotFit):
            write(path, target, table)
        return
    write(path, target, table)
    found = read(path, target)
    width = len(table[0])
    # A spreadsheet ends with its last cell that holds something; what is missing there is empty.
    found = [row + [""] * (width - len(row)) for row in found] + [[""] * width] * (len(table) - len(found))
    assert [[rearm(cell) for cell in row] for row in found] == table
    if safe and written_as is not ExportFormat.PARQUET:
        assert not any(cell[:1] in ("=", "@", "\t", "\r") for row in found for cell in row)


@pytest.mark.feature("E1")
def test_parquet_writes_its_rows_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "PARQUET_ROWS", 3)
    table = [["n"], *([str(number)] for number in range(8))]
    write(tmp_path / "file", FileTarget(format=ExportFormat.PARQUET), table)
    assert read(tmp_path / "file", FileTarget(format=ExportFormat.PARQUET)) == table
    assert pq.ParquetFile(tmp_path / "file").num_row_groups == 3


@pytest.mark.feature("E1")
def test_a_cell_too_long_for_xlsx_is_refused_and_not_cut(tmp_path: Path) -> None:
    target = FileTarget(format=ExportFormat.XLSX)
    write(tmp_path / "fits", target, [["key", "text"], ["a", "x" * 32_767]])
    assert read(tmp_path / "fits", target)[1][1] == "x" * 32_767
    for cell in ("x" * 32_768, "🐎" * 16_384):  # a horse counts twice there
        with pytest.raises(DoesNotFit, match="32,768 characters") as misfit:
            write(tmp_path / "no", target, [["key", "text"], ["a", cell]])
        assert misfit.value.column == "text"
        assert not list(tmp_path.glob("no*")), "neither a file nor what it was made of"


@pytest.mark.feature("E1")
def test_a_sheet_that_is_full_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "XLSX_MAX_ROWS", 2)
    target = FileTarget(format=ExportFormat.XLSX)
    write(tmp_path / "fits", target, [["key"], ["a"], ["b"]])
    with pytest.raises(DoesNotFit, match="ends after"):
        write(tmp_path / "no", target, [["key"], ["a"], ["b"], ["c"]])
