"""Every stable error code: its HTTP status and what it means. Bodies are RFC 9457 problem documents."""

from __future__ import annotations

from enum import StrEnum

from lib.contract.model import Reading
from lib.contract.operations import Gate


class ErrorCode(StrEnum):
    """A code clients may rely on; the detail beside it is for people and may change."""

    UNAUTHENTICATED = "unauthenticated"
    BAD_TOKEN = "bad_token"
    BAD_TICKET = "bad_ticket"
    FORBIDDEN = "forbidden"
    BAD_HOST = "bad_host"
    CROSS_SITE = "cross_site"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REFUSED = "refused"
    INVALID = "invalid"
    BAD_CURSOR = "bad_cursor"
    TOO_LARGE = "too_large"
    BAD_RANGE = "bad_range"
    WRONG_OFFSET = "wrong_offset"
    NOT_READY = "not_ready"
    UPLOAD_INCOMPLETE = "upload_incomplete"
    UNREADABLE_SOURCE = "unreadable_source"
    CREDENTIALS_REJECTED = "credentials_rejected"
    SHEET_UNAVAILABLE = "sheet_unavailable"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    CHANGED_MEANWHILE = "changed_meanwhile"
    EXPIRED = "expired"
    NO_SPACE = "no_space"
    INTERNAL = "internal"


#: code → (HTTP status, what it means, what to do)
ERRORS: dict[ErrorCode, tuple[int, str, str]] = {
    ErrorCode.UNAUTHENTICATED: (401, "The request carries no token.", "Send Authorization: Bearer <token>."),
    ErrorCode.BAD_TOKEN: (401, "The token is unknown or was replaced.", "Read the token file again, or ask an admin."),
    ErrorCode.BAD_TICKET: (401, "The link's ticket is wrong or has expired.", "Open the page again and use the fresh link."),
    ErrorCode.FORBIDDEN: (403, "The role of this identity is too low.", "Ask somebody with the role named in the answer."),
    ErrorCode.BAD_HOST: (400, "The Host header names a machine this service does not answer for.", "Use the configured address."),
    ErrorCode.CROSS_SITE: (403, "A page of another site tried to change something here.", "Use the console itself."),
    ErrorCode.NOT_FOUND: (404, "Nothing has this id or address.", "Check the link; it may have been removed by age."),
    ErrorCode.METHOD_NOT_ALLOWED: (405, "This address does not take that method.", "See /api/docs."),
    ErrorCode.REFUSED: (409, "The gate refused: the action may not start now.", "The gate in the answer says why and where to look."),
    ErrorCode.INVALID: (422, "A field of the request is not valid.", "Correct the field the answer points at."),
    ErrorCode.BAD_CURSOR: (400, "The cursor is not one of this list's.", "Start again without it."),
    ErrorCode.TOO_LARGE: (413, "More bytes than the limit or than announced.", "Send a smaller file, or raise the limit in Settings."),
    ErrorCode.BAD_RANGE: (416, "The file has no such range.", "Ask for bytes it has, or for the whole file."),
    ErrorCode.NOT_READY: (409, "It is not in a state in which this can be answered.", "The detail says why."),
    ErrorCode.WRONG_OFFSET: (409, "The slice does not continue where the upload stands.", "Go on at Upload-Offset."),
    ErrorCode.UPLOAD_INCOMPLETE: (409, "The upload has not arrived in full.", "Send the rest, then ask again."),
    ErrorCode.UNREADABLE_SOURCE: (422, "The source could not be read as a sheet.", "The detail names the line and the rule."),
    ErrorCode.CREDENTIALS_REJECTED: (422, "The credentials did not pass their checks.", "The detail says which, and what to do."),
    ErrorCode.SHEET_UNAVAILABLE: (424, "Google did not give what was asked of a sheet.", "The detail says why, and what to do."),
    ErrorCode.IDEMPOTENCY_KEY_REUSED: (422, "This Idempotency-Key was used with another request.", "Use a new key."),
    ErrorCode.CHANGED_MEANWHILE: (409, "It has changed since it was shown.", "Look again, then decide."),
    ErrorCode.EXPIRED: (410, "It was removed by age.", "Make a new one."),
    ErrorCode.NO_SPACE: (507, "The data folder's disk is full.", "Free some space; nothing was lost."),
    ErrorCode.INTERNAL: (500, "The service failed in a way it did not expect.", "Try again; the log has the details."),
}


class FieldError(Reading):
    """One field that broke a rule; ``pointer`` is its JSON pointer in the request."""

    pointer: str
    detail: str


class Problem(Reading):
    """The body of every error answer (``application/problem+json``)."""

    type: str = "about:blank"
    title: str
    status: int
    code: ErrorCode
    detail: str
    action: str = ""
    gate: Gate | None = None
    errors: list[FieldError] = []
