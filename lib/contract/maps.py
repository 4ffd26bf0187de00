"""The map of the index: where each vector stands on a plane, and what is known of the row it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lib.contract.model import Reading, Request

#: Points a map has at most; of more vectors a sample is drawn that hardly changes when rows come and go.
MAP_POINTS = 50_000
#: A row whose nearest other is at least this near says the same in other words, or is there twice.
NEAR_DUPLICATE_COSINE = 0.97
#: The share of the points looked at that stand most alone.
OUTLIER_RATIO = 0.01
#: Characters of a row's text that a point carries.
WORDS_LENGTH = 80
#: How the columns of the fields are called in the points: this, then the field's name.
FIELD_COLUMN = "field:"

#: Corners a lasso has at most: of a line drawn by hand a few dozen tell everything.
LASSO_CORNERS = 200

#: Where something stands on the plane: x, y.
MapPlace = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]
#: A part of the plane, by the corners of the line around it; from the last a straight line leads back to the first.
MapLasso = Annotated[tuple[MapPlace, ...], Field(min_length=3, max_length=LASSO_CORNERS)]
MapLayout = Literal["coarse", "fine"]
MapKind = Literal["near_duplicates", "outliers"]


class MapRequest(Request):
    """Lay the served generation out. What has not changed since the last map stays where it stands, unless ``anew``."""

    layout: MapLayout = "coarse"
    anew: bool = Field(False, description="forget where things stood on the last map")


class MapPart(Request):
    """The points that are all of this: inside the lasso, of the region, and of these of the kind. Null: not asked for."""

    lasso: MapLasso | None = None
    region: int | None = None
    kind: MapKind | None = Field(None, description="near_duplicates of any row, or the outliers: the 1 % with the least like nearest other")


class RenewRequest(Request):
    """Have the rows of a part of a map embedded again, though their vectors are known."""

    map_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    part: MapPart

    @model_validator(mode="after")
    def _refuse_everything(self) -> Self:
        if self.part == MapPart():
            raise ValueError("name a lasso, a region or a kind of rows: the whole map is not meant by leaving all of them out")
        return self


class MapRegion(Reading):
    """A part of the map, called by the words that are frequent in it and rare elsewhere."""

    region: int
    words: list[str]
    points: int
    x: float
    y: float


class IndexMap(Reading):
    """One map. Its points are an Arrow stream of their own: ``GET /api/index/map/{map_id}/points``."""

    map_id: str
    layout: MapLayout
    generation: int
    revision: int
    laid_out_at: datetime
    laid_out_by: str
    seconds: float
    points: int
    vectors: int = Field(description="vectors of the generation; more than points when a sample was drawn")
    kept: int = Field(description="points that stand where they stood on the map before")
    fields: list[str] = Field(description="the fields of the rows, each a column of the points")
    regions: list[MapRegion]
    near_duplicates: int = Field(description="points whose nearest other says nearly the same")
    points_sha256: str
    points_bytes: int


class MapReading(Reading):
    """The newest map, and what is served by now."""

    latest: IndexMap | None = None
    generation: int | None = Field(None, description="the served generation; null when there is none")
    taken_at: datetime
