"""Which kind of index suits how many vectors."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import faiss

FLAT = "IDMap2,Flat"  #: exact; 4 bytes a component
SQ8 = "IDMap2,SQ8"  #: 1 byte a component, recall@10 about 0.99

#: The kinds whose vectors lie one after the other. IDMap2 is only ever put over these: over lists it corrupts the index at a removal.
FACTORIES = (FLAT, SQ8)

_LISTS = re.compile(r"IVF(\d+),SQ8")
#: Lists are learnt anew when their number is off by more than this: the vectors have doubled, or halved.
_LISTS_OFF = math.sqrt(2)


@dataclass(frozen=True)
class Limits:
    """Up to how many vectors an index is exact, and up to how many it compares with each one in a byte a component."""

    exact: int = 200_000
    each: int = 1_500_000


class UnknownFactory(ValueError):
    """An index of a kind this service does not write."""


def choose_factory(vectors: int, limits: Limits) -> str:
    """The FAISS factory string for an index of ``vectors`` vectors."""
    if vectors <= limits.exact:
        return FLAT
    return SQ8 if vectors <= limits.each else f"IVF{_lists_for(vectors)},SQ8"


def still_suits(factory: str, vectors: int, limits: Limits) -> bool:
    """Whether an index of this kind may be brought up to date, or should be built anew as another."""
    chosen = choose_factory(vectors, limits)
    have, want = lists_of(factory), lists_of(chosen)
    return have / _LISTS_OFF < want < have * _LISTS_OFF if have and want else chosen == factory


def lists_of(factory: str) -> int:
    """How many lists an index of this kind has; 0 when it has none."""
    match = _LISTS.fullmatch(factory)
    return int(match[1]) if match else 0


def _lists_for(vectors: int) -> int:
    return max(1, round(4 * math.sqrt(vectors)))


def is_ours(factory: str) -> bool:
    """Whether this service writes indexes of this kind."""
    return factory in FACTORIES or bool(lists_of(factory))


def check_factory(factory: str) -> None:
    """UnknownFactory unless ``factory`` is one this service writes."""
    if not is_ours(factory):
        raise UnknownFactory(f"{factory!r} is not an index kind this service writes. Known: {'; '.join(FACTORIES)}; IVF<lists>,SQ8.")


def factory_of(index: faiss.Index) -> str:
    """The factory string ``index`` was made from; UnknownFactory when this service would not have made it."""
    inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap2) else index
    if isinstance(index, faiss.IndexIDMap2) and isinstance(inner, faiss.IndexFlat):
        return FLAT
    if isinstance(index, faiss.IndexIDMap2) and isinstance(inner, faiss.IndexScalarQuantizer):
        return SQ8
    if isinstance(index, faiss.IndexIVFScalarQuantizer):
        return f"IVF{index.nlist},SQ8"
    raise UnknownFactory(f"{type(index).__name__} over {type(inner).__name__} is not an index kind this service writes.")
