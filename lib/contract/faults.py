"""Why a file that was brought in is not read, or may be read but not served: the closed list of named reasons."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a FAISS file or a snapshot's set. Each has a meaning in ``FAULTS`` and a row in the README."""

    WRONG_EXTENSION = "wrong_extension"
    TOO_LARGE = "too_large"
    WRONG_CHECKSUM = "wrong_checksum"
    BAD_ARCHIVE = "bad_archive"
    BAD_MANIFEST = "bad_manifest"
    MANIFEST_DISAGREES = "manifest_disagrees"
    UNKNOWN_KIND = "unknown_kind"
    NAMES_ANOTHER_FILE = "names_another_file"
    BAD_STRUCTURE = "bad_structure"
    BAD_IDS = "bad_ids"
    NOT_FINITE = "not_finite"
    UNREADABLE = "unreadable"
    NO_MANIFEST = "no_manifest"
    WRONG_KIND = "wrong_kind"
    WRONG_DIMENSION = "wrong_dimension"
    WRONG_METRIC = "wrong_metric"
    WRONG_MODEL = "wrong_model"
    WRONG_NORMS = "wrong_norms"


#: fault → what it means; the README table is held to this.
FAULTS: dict[Fault, str] = {
    Fault.WRONG_EXTENSION: "Its name ends neither in `.faiss` nor in `.switchyard.tar`.",
    Fault.TOO_LARGE: "It is larger than the setting allows.",
    Fault.WRONG_CHECKSUM: "Its bytes are not the ones that were announced.",
    Fault.BAD_ARCHIVE: "It is not a set as it was downloaded: other names, links, paths, or bytes that are missing or too many.",
    Fault.BAD_MANIFEST: "Its manifest is missing something, says something unknown, or is not JSON.",
    Fault.MANIFEST_DISAGREES: "What the manifest says and what the files hold are two things.",
    Fault.UNKNOWN_KIND: "It holds a kind of index, or a part of one, that is not read here.",
    Fault.NAMES_ANOTHER_FILE: "It makes whoever opens it open another file.",
    Fault.BAD_STRUCTURE: "Its counts and lengths do not add up.",
    Fault.BAD_IDS: "An id is negative, comes twice, or is not among those announced.",
    Fault.NOT_FINITE: "A vector holds something that is not a finite number.",
    Fault.UNREADABLE: "FAISS could not read it, or needed more time or memory than it may have.",
    Fault.NO_MANIFEST: "A FAISS file alone does not say which model made it.",
    Fault.WRONG_KIND: "It is not a kind of index this service writes.",
    Fault.WRONG_DIMENSION: "Its vectors have another number of components than the model's.",
    Fault.WRONG_METRIC: "It compares vectors in another way.",
    Fault.WRONG_MODEL: "Another model made its vectors: texts and vectors would not match.",
    Fault.WRONG_NORMS: "Its vectors are not of unit length, so its scores would not be comparable.",
}


class BadFile(Exception):
    """The file is refused: for which of the named reasons, and what was found."""

    def __init__(self, fault: Fault, detail: str) -> None:
        # Words out of the file stand in it: what a page, a log or a database would not show as a sign of its own is made visible.
        shown = "".join(each if each.isprintable() else "\ufffd" for each in detail)
        super().__init__(fault, shown)
        self.fault, self.detail = fault, shown

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"
