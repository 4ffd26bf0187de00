"""The rows of a plan: which rules they break, and which of them a person has unticked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lib.contract.model import Reading, Request
from lib.contract.states import Change, RowRule

#: rule → in words, as the heading of its group; the error of one row says more
RULES: dict[RowRule, str] = {
    RowRule.KEY_EMPTY: "The key is empty",
    RowRule.KEY_TOO_LONG: "The key is too long",
    RowRule.KEY_TWICE: "The key stands in another row already",
    RowRule.TEXT_EMPTY: "There is no text to embed",
    RowRule.TOO_MANY_CELLS: "The row has more cells than the header",
    RowRule.CELL_TOO_LONG: "A cell is too long",
    RowRule.NUL: "A cell holds a NUL",
}


class RuleCount(Reading):
    """How many rows break one rule."""

    rule: RowRule
    rows: int


class RowFilter(Request):
    """Which rows of a plan; what is null does not narrow."""

    change: Change | None = None
    rule: RowRule | None = None
    text: str | None = Field(None, max_length=200, description="only rows whose key or text contains this")
    ticked: bool | None = None


class TickRequest(Request):
    """Tick or untick rows of a plan: some by position, or all that match a filter. An unticked row is left as it is in the table.

    With ``columns``, only these columns of changed rows named by position. A row of which nothing is left becomes an unticked one.
    """

    ticked: bool
    positions: list[Annotated[int, Field(ge=1, lt=1 << 31)]] | None = Field(None, max_length=1000)
    matching: RowFilter | None = None
    columns: list[str] | None = Field(None, min_length=1, max_length=256, description="only these columns of the rows at these positions")
    ticks_revision: int | None = Field(None, description="which ticks the person saw; 409 when somebody else has changed them since")

    @model_validator(mode="after")
    def _one_way_to_say_which(self) -> TickRequest:
        if (self.positions is None) == (self.matching is None):
            raise ValueError("say which rows: either positions or matching")
        if self.columns is not None and self.positions is None:
            raise ValueError("say by positions of which rows the columns are")
        return self
