"""Every closed set of states, each explained where it is spelled."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """A kind of work."""

    PREVIEW = "preview"  #: read a source and compare it with the table; writes a plan, changes nothing else
    IMPORT = "import"  #: apply exactly one plan to the table
    UNDO = "undo"  #: take back what one import did, row by row, where nobody has changed the row since
    COMPARE = "compare"  #: read a Google sheet and compare it with the table; makes the plan of an export, changes nothing
    EXPORT = "export"  #: write entries to a file, or to a Google sheet by its plan
    REFRESH = "refresh"  #: bring the index up to date with the vectors that changed
    REBUILD = "rebuild"  #: build a full new generation of the index
    SNAPSHOT = "snapshot"  #: save a copy of the served generation
    INSPECT = "inspect"  #: read a snapshot or a file from outside safely, and compare it with what is served; changes nothing
    RESTORE = "restore"  #: serve what was inspected as the next generation
    CHECK = "check"  #: compare table and index, and look at the vectors; changes nothing
    REEMBED = "reembed"  #: give every row a vector of another model, then switch to it in one moment
    REPAIR = "repair"  #: make table and index agree again, where a check found that they do not
    MAP = "map"  #: place the vectors of the served generation on a plane; changes nothing
    REHEARSE = "rehearse"  #: try an import or another model on sample rows beside production; changes nothing
    REQUEUE = "requeue"  #: retry, discard or put first many items of the queue
    RENEW = "renew"  #: have rows of a map embedded again by the present model, though their vectors are known


class JobState(StrEnum):
    """The life of a job. ``cancel_requested`` is a flag beside it, not a state."""

    QUEUED = "queued"  #: accepted; waits for an operations worker
    RUNNING = "running"  #: an operations worker is at it
    SUCCEEDED = "succeeded"  #: done; the result says what was done
    FAILED = "failed"  #: stopped by an error; the error says which, nothing was half-applied
    CANCELLED = "cancelled"  #: stopped because somebody asked; everything is as before
    INTERRUPTED = "interrupted"  #: its worker died and could not take it up again; nothing was half-applied


ACTIVE_JOB_STATES = frozenset({JobState.QUEUED, JobState.RUNNING})
ENDED_JOB_STATES = frozenset(JobState) - ACTIVE_JOB_STATES


class PlanState(StrEnum):
    """The life of a plan."""

    BUILDING = "building"  #: an operations worker reads the source and compares
    READY = "ready"  #: can be applied until it expires
    FAILED = "failed"  #: the source could not be read; the error says why
    STALE = "stale"  #: the source or the table moved since, or the plan expired; make a new one
    APPLIED = "applied"  #: an import applied it


class Change(StrEnum):
    """What a plan would do with one row."""

    NEW = "new"  #: no entry has this key yet
    CHANGED = "changed"  #: the entry differs in text or fields
    UNCHANGED = "unchanged"  #: the entry is the same already; such rows are counted, not listed
    REMOVED = "removed"  #: the source lacks it (only a mirror removes)
    INVALID = "invalid"  #: the record breaks a rule; its errors say which


class ImportMode(StrEnum):
    """What an import does with entries that the source lacks."""

    MERGE = "merge"  #: keep them: add and update by key
    MIRROR = "mirror"  #: remove them, under the deletion guard


class RowRule(StrEnum):
    """What a record must not do; ``contract.plans.RULES`` has the words."""

    KEY_EMPTY = "key_empty"
    KEY_TOO_LONG = "key_too_long"
    KEY_TWICE = "key_twice"
    TEXT_EMPTY = "text_empty"
    TOO_MANY_CELLS = "too_many_cells"
    CELL_TOO_LONG = "cell_too_long"
    NUL = "nul"


class Confidence(StrEnum):
    """How sure the suggested use of a column is."""

    REMEMBERED = "remembered"  #: an import of this source used it so last time
    SURE = "sure"  #: name and cells say the same
    LIKELY = "likely"  #: the name or the cells say so
    GUESS = "guess"  #: something had to be suggested: look twice


class SheetFormat(StrEnum):
    """What kind of thing a sheet was read from."""

    CSV = "csv"  #: a text file, one line a row
    XLSX = "xlsx"  #: a workbook, of which one tab is read
    PARQUET = "parquet"  #: a columnar file other programs write
    GOOGLE_SHEET = "google_sheet"  #: one tab of a Google Sheet


class InvalidPolicy(StrEnum):
    """What an import does when some records are invalid."""

    SKIP = "skip"  #: apply the good rows, leave the bad ones out
    ALL_OR_NOTHING = "all_or_nothing"  #: refuse the whole import


class ItemState(StrEnum):
    """An entry that waits to be embedded. Done items leave the queue."""

    PENDING = "pending"  #: waits for a worker
    LEASED = "leased"  #: a worker holds it until the lease lapses
    FAILED = "failed"  #: attempts are spent, or the cause cannot be cured by trying again
    DISCARDED = "discarded"  #: a person gave up on it; not searchable until its text changes or somebody retries


class EntryState(StrEnum):
    """How far an entry is on its way into the index; what an export may be narrowed to."""

    EMBEDDED = "embedded"  #: it has its vector
    WAITING = "waiting"  #: its item is pending, or a worker holds it
    FAILED = "failed"  #: its item failed
    DISCARDED = "discarded"  #: a person gave up on its item


class FailureCause(StrEnum):
    """Why an item could not be embedded: a closed list, each with plain words in ``queue.CAUSES``."""

    EMPTY_TEXT = "empty_text"
    TEXT_TOO_LONG = "text_too_long"
    QUOTA = "quota"
    BAD_KEY = "bad_key"
    UNREACHABLE = "unreachable"
    UNKNOWN_MODEL = "unknown_model"
    WRONG_DIMENSION = "wrong_dimension"
    BAD_VECTOR = "bad_vector"
    WORKER_LOST = "worker_lost"
    UNEXPECTED = "unexpected"


class WorkerRole(StrEnum):
    """What a worker process does."""

    EMBEDDING = "embedding"  #: turns items into vectors
    OPERATIONS = "operations"  #: performs jobs: imports, exports, rebuilds


class Desired(StrEnum):
    """What people want a worker to do. Only people change it."""

    RUNNING = "running"  #: claim work
    PAUSED = "paused"  #: hold what is held, claim nothing until resumed
    DRAINING = "draining"  #: finish what is held, claim nothing more


class Actual(StrEnum):
    """What a worker last said it does. Staleness is derived from the age of that word, not stored."""

    STARTING = "starting"  #: the process is up, the model or engine is loading
    IDLE = "idle"  #: ready, nothing to do
    BUSY = "busy"  #: has work in hand
    PAUSED = "paused"  #: holds nothing, claims nothing, by a person's wish
    DRAINING = "draining"  #: finishing what it holds
    DRAINED = "drained"  #: finished; claims nothing until resumed
    STOPPED = "stopped"  #: the process ended in good order


class ShiftKind(StrEnum):
    """What an entry of the shift log is about."""

    NOTE = "note"  #: somebody wrote it
    PAUSE = "pause"  #: workers were paused, with the reason
    DRAIN = "drain"  #: workers were drained, with the reason
    RESUME = "resume"  #: workers were resumed
    SCALE = "scale"  #: workers were added or removed
    IMPORT = "import"  #: an import was applied


class UndoOutcome(StrEnum):
    """What an undo did with one row of an import."""

    REVERSED = "reversed"  #: the row is as it was before the import
    KEPT = "kept"  #: somebody has changed it since: it was left alone
    FAILED = "failed"  #: it could not be put back; the detail says why


class AnswerChange(StrEnum):
    """What became of the answer to a golden question between two generations."""

    REGRESSED = "regressed"  #: it passed before and fails now
    IMPROVED = "improved"  #: it failed before and passes now
    MOVED = "moved"  #: the verdict is the same, other rows were found or in another order
    SAME = "same"  #: the same rows in the same order
    FIRST = "first"  #: it was not asked before, or of other rows, so there is nothing to compare with


class Verdict(StrEnum):
    """What an inspection comes to."""

    GOOD = "good"  #: it may be served, and answers as it should
    WORSE = "worse"  #: it may be served, but would answer worse
    STRANGE = "strange"  #: it can be read and searched here, but not be served
    REFUSED = "refused"  #: it is not a file that is read here


class DriftKind(StrEnum):
    """How table and index can disagree about one row. A row that waits in the queue is on its way, and no drift."""

    MISSING_VECTOR = "missing_vector"  #: an entry without a vector, and nothing in the queue to make one
    STALE = "stale"  #: the vector is of an older text
    WRONG_MODEL = "wrong_model"  #: the vector is of another model than the served generation's
    UNINDEXED = "unindexed"  #: it has its vector, the index says it took it up, and does not hold it
    ORPHANED = "orphaned"  #: the index holds a vector of no entry
    DUPLICATED = "duplicated"  #: the index holds more than one vector under one id


class IntentionState(StrEnum):
    """A start that waits for the gate to open."""

    WAITING = "waiting"  #: is tried again until the gate opens
    STARTED = "started"  #: the gate opened; the job runs or ran
    CANCELLED = "cancelled"  #: somebody called it off
    DROPPED = "dropped"  #: it can never start any more; the detail says why


class Role(StrEnum):
    """What an authenticated person may do; each includes the ones before it."""

    VIEWER = "viewer"  #: read everything
    OPERATOR = "operator"  #: start, pause, cancel
    ADMIN = "admin"  #: settings and everything destructive


class EmbedderKind(StrEnum):
    """What turns text into vectors (setting ``embedding.embedder``)."""

    WORDLLAMA = "wordllama"  #: the model that comes with Switchyard: offline, on this machine
    OPENAI = "openai"  #: any service that speaks OpenAI's /v1/embeddings, here or elsewhere


class CredentialKind(StrEnum):
    """What a secret opens."""

    GOOGLE = "google"
    EMBEDDINGS = "embeddings"


class CheckName(StrEnum):
    """What is tried of credentials and sheet, in this order."""

    FILE_READABLE = "file_readable"
    JSON_SHAPE = "json_shape"
    PRIVATE_MODE = "private_mode"
    KEY_ACCEPTED = "key_accepted"
    SHEET_REACHABLE = "sheet_reachable"
    TAB_EXISTS = "tab_exists"
    HEADERS_FIT = "headers_fit"
    MAY_WRITE = "may_write"


class CheckState(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  #: not tried: nobody asked, or an earlier one failed


class RefreshMode(StrEnum):
    """When the index takes up new vectors (setting ``index.refresh``)."""

    AUTOMATIC = "automatic"  #: by itself, while the queue drains and once it is empty
    MANUAL = "manual"  #: only when somebody presses Refresh or Rebuild
