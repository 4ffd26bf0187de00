"""What somebody who brought a file in can do about what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from lib.contract.faults import Fault
from lib.contract.inspections import Obstacle

_COPY_AGAIN = "It was damaged or cut short on its way: fetch it again from where it came from, and compare the checksums."
_FROM_SET = "To serve it, download it here or in the Switchyard that made it (Snapshots → Download) and bring that set in unchanged."
_MAKE_AGAIN = "Whatever program wrote it has to write it anew; nothing here can repair it."
#: fault → what the person who brought the file can do about it.
ADVICE: dict[Fault, str] = {
    Fault.WRONG_EXTENSION: "Bring a file that FAISS wrote (.faiss) or a snapshot as it was downloaded (.switchyard.tar).",
    Fault.TOO_LARGE: "Settings → Largest index file raises the limit.",
    Fault.WRONG_CHECKSUM: "Fetch the file again, or correct the SHA-256: it is that of the very file you bring, not of one inside it.",
    Fault.BAD_ARCHIVE: _FROM_SET,
    Fault.BAD_MANIFEST: _FROM_SET,
    Fault.MANIFEST_DISAGREES: _FROM_SET,
    Fault.UNKNOWN_KIND: "Flat and SQ8 indexes are read here, bare, with ids (IDMap, IDMap2) or in lists (IVF). Rewrite it as one of these.",
    Fault.NAMES_ANOTHER_FILE: "Do not open it elsewhere before you know who made it. Write the index as one file, without files beside it.",
    Fault.BAD_STRUCTURE: _COPY_AGAIN,
    Fault.BAD_IDS: _MAKE_AGAIN,
    Fault.NOT_FINITE: _MAKE_AGAIN,
    Fault.UNREADABLE: _COPY_AGAIN,
    Fault.NO_MANIFEST: _FROM_SET,
    Fault.WRONG_KIND: "To have these rows served, import their sheet: the index is built from it.",
    Fault.WRONG_DIMENSION: "Another model made it. To serve vectors of that model, change the model (Overview → Change the model).",
    Fault.WRONG_METRIC: "To have these rows served, import their sheet: the index is built from it.",
    Fault.WRONG_MODEL: "To serve vectors of that model, change the model first (Overview → Change the model).",
    Fault.WRONG_NORMS: _MAKE_AGAIN,
}


def what_to_do(obstacles: Sequence[Obstacle]) -> str:
    """What helps against the first thing that is wrong; that there is no manifest matters only when nothing else is."""
    faults = [each.fault for each in obstacles]
    telling = [fault for fault in faults if fault is not Fault.NO_MANIFEST] or faults
    return ADVICE[telling[0]] if telling else ""
