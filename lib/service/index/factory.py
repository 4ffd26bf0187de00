"""Which kind of index suits how many vectors."""

from __future__ import annotations

import faiss

FLAT = "IDMap2,Flat"  #: exact; 4 bytes a component
SQ8 = "IDMap2,SQ8"  #: 1 byte a component, recall@10 about 0.99

#: Every kind this service writes. IDMap2 is only ever put over these: over IVF it corrupts the index on the first removal.
FACTORIES = (FLAT, SQ8)

_FLAT_LIMIT = 200_000


class UnknownFactory(ValueError):
    """An index of a kind this service does not write."""


def choose_factory(vectors: int) -> str:
    """The FAISS factory string for an index of ``vectors`` vectors."""
    if vectors <= _FLAT_LIMIT:
        return FLAT
    return SQ8  # beyond about 1.5 million: bare IVF with native ids, when that size is real


def check_factory(factory: str) -> None:
    """UnknownFactory unless ``factory`` is one this service writes."""
    if factory not in FACTORIES:
        raise UnknownFactory(f"{factory!r} is not an index kind this service writes. Known: {'; '.join(FACTORIES)}.")


def factory_of(index: faiss.Index) -> str:
    """The factory string ``index`` was made from; UnknownFactory when this service would not have made it."""
    inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap2) else index
    if isinstance(index, faiss.IndexIDMap2) and isinstance(inner, faiss.IndexFlat):
        return FLAT
    if isinstance(index, faiss.IndexIDMap2) and isinstance(inner, faiss.IndexScalarQuantizer):
        return SQ8
    raise UnknownFactory(f"{type(index).__name__} over {type(inner).__name__} is not an index kind this service writes.")
