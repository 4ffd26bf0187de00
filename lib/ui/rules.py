"""What is looked at for a person, what it finds, and the one verdict that follows. Pure: readings in, findings out."""

from __future__ import annotations

from collections.abc import Iterable

from lib.contract.checks import Check, CheckRequest
from lib.contract.settings import SettingsReading
from lib.contract.states import CheckName, CheckState, Desired, JobState, Operation, RefreshMode, WorkerRole
from lib.contract.workers import Worker
from lib.ui.capacity import describe_wish, find_workers
from lib.ui.findings import Act, Finding, Readings, Rule
from lib.ui.format import format_age, plural
from lib.ui.marks import OPERATION_WORDS, Mark, Tone

_ON_INDEX = (
    Operation.REFRESH,
    Operation.REBUILD,
    Operation.SNAPSHOT,
    Operation.INSPECT,
    Operation.RESTORE,
    Operation.CHECK,
    Operation.REPAIR,
    Operation.REEMBED,
    Operation.REHEARSE,
    Operation.MAP,
    Operation.RENEW,
)


def find_findings(readings: Readings) -> list[Finding]:
    """Everything that needs a person, worst first."""
    findings = [finding for rule in RULES for finding in rule.find(readings)]
    return sorted(findings, key=lambda finding: finding.tone is not Tone.BAD)


def find_quiet_rules(readings: Readings) -> list[str]:
    """What the rules say that could look and found nothing."""
    return [
        rule.quiet
        for rule in RULES
        if all(getattr(readings, need) is not None for need in rule.needs) and not any(True for _ in rule.find(readings))
    ]


def judge(readings: Readings, findings: list[Finding]) -> Mark:
    """The overall verdict."""
    if readings.queue is None or readings.workers is None:
        return Mark(Tone.IDLE, "help", "not known yet")
    if any(finding.tone is Tone.BAD for finding in findings):
        return Mark(Tone.BAD, "error", "needs attention")
    if findings:
        return Mark(Tone.HELD, "warning", "waits for a person")
    if not readings.queue.entries:
        return Mark(Tone.IDLE, "radio_button_unchecked", "nothing imported yet")
    if readings.queue.backlog or (readings.jobs and readings.jobs.active):
        return Mark(Tone.BUSY, "play_circle", "working")
    return Mark(Tone.DONE, "check_circle", "all well")


def _lost_capacity(readings: Readings) -> Iterable[Finding]:
    if readings.workers is None:
        return
    for role, pages, impact in (
        (WorkerRole.EMBEDDING, {"Import", "Queue", "Workers"}, "Rows wait in the queue and do not become searchable."),
        (WorkerRole.OPERATIONS, {"Import", "Export", "Index", "Workers"}, "Imports, exports and index builds wait."),
    ):
        workers = find_workers(readings.workers, role)
        if not any(worker.desired is not Desired.RUNNING or not worker.stale for worker in workers):
            yield Finding(
                cause=f"no_{role}_worker",
                tone=Tone.BAD,
                icon="power_off",
                what=f"No {role} worker is alive",
                evidence=f"{plural(len(workers), 'worker')} known, none heard from lately.",
                impact=impact,
                step="The supervisor starts a new one by itself. If none comes, look at the log of the console.",
                button="See the workers",
                link="/Workers",
                pages=frozenset(pages),
                banner=True,
            )


def _stale_workers(readings: Readings) -> Iterable[Finding]:
    stale = [worker for role in WorkerRole for worker in find_workers(readings.workers, role) if worker.stale]
    if stale:
        oldest = min((worker.heartbeat_at for worker in stale if worker.heartbeat_at), default=None)
        yield Finding(
            cause="stale_workers",
            tone=Tone.BAD,
            icon="heart_broken",
            what=f"{plural(len(stale), 'worker')} went silent",
            evidence=f"{_names(stale)}: last heartbeat {format_age(oldest, readings.now)}.",
            impact="Not counted as capacity. What it held goes back to the queue when its lease lapses.",
            step="See what it was doing.",
            button=f"See the {plural(len(stale), 'worker')}",
            link="/Workers",
            pages=frozenset({"Workers", "Queue"}),
        )


def _paused_workers(readings: Readings) -> Iterable[Finding]:
    if readings.workers is None:
        return
    for role, pages in (
        (WorkerRole.EMBEDDING, {"Import", "Queue", "Workers"}),
        (WorkerRole.OPERATIONS, {"Import", "Export", "Index", "Workers"}),
    ):
        workers = find_workers(readings.workers, role)
        held = [worker for worker in workers if worker.desired is not Desired.RUNNING]
        if held:
            everyone = len(held) == len(workers)
            yield Finding(
                cause=f"{role}_held",
                tone=Tone.HELD,
                icon="pause_circle",
                what=f"{'All' if everyone else len(held)} {role} workers are held"
                if len(held) > 1
                else f"{held[0].worker_id} is {held[0].desired}",
                evidence=describe_wish(held[0], readings.now),
                impact=_impact_of_pause(readings, everyone=everyone, role=role),
                step="Resume when the reason is gone.",
                button=f"Resume {held[0].worker_id if len(held) == 1 else plural(len(held), 'worker')}",
                link="/Workers",
                pages=frozenset(pages),
                banner=True,
                act=Act.RESUME,
                workers=tuple(held),
            )


def _impact_of_pause(readings: Readings, *, everyone: bool, role: WorkerRole) -> str:
    if not everyone:
        return "The others go on, more slowly."
    if role is WorkerRole.OPERATIONS:
        return "Imports, exports and index builds wait."
    waiting = readings.queue.pending if readings.queue else None
    return f"{plural(waiting, 'row')} wait." if waiting else "New rows will wait."


def _failed_rows(readings: Readings) -> Iterable[Finding]:
    if readings.queue and readings.queue.failed:
        yield Finding(
            cause="failed_rows",
            tone=Tone.BAD,
            icon="error",
            what=f"{plural(readings.queue.failed, 'row')} could not be embedded",
            evidence=f"Of {readings.queue.entries:,} in the table.",
            impact="Those never embedded before are found by no search, the others by what was embedded last.",
            step="Read the causes, then retry or discard.",
            button=f"See the {plural(readings.queue.failed, 'row')}",
            link="/Queue?rows=Failed",
            pages=frozenset({"Queue"}),
        )


def _failed_jobs(readings: Readings) -> Iterable[Finding]:
    for reading in readings.jobs.operations if readings.jobs else []:
        job = reading.last
        if job is None or job.state not in {JobState.FAILED, JobState.INTERRUPTED}:
            continue
        word = OPERATION_WORDS[reading.operation]
        page = {Operation.EXPORT: "Export"} | dict.fromkeys(_ON_INDEX, "Index")
        yield Finding(
            cause=f"last_{reading.operation}",
            tone=Tone.BAD,
            icon="error",
            what=f"The last {word.lower()} {job.state.value if job.state is JobState.FAILED else 'was interrupted'}",
            evidence=f"{job.error.detail if job.error else 'No cause was recorded.'} ({format_age(job.finished_at, readings.now)})",
            impact="Nothing was half-applied.",
            step=(job.error.action if job.error else "") or "Look at its log, then start it again.",
            button="See what happened",
            link=f"/?job={job.job_id}",
            pages=frozenset({page.get(reading.operation, "Import")}),
        )


def _index_behind(readings: Readings) -> Iterable[Finding]:
    manual = readings.settings is not None and _refresh_mode(readings.settings) == RefreshMode.MANUAL
    turned_back = readings.index is not None and readings.index.turned_back
    if (manual or turned_back) and readings.index and readings.index.unindexed:
        evidence, step = "Index refresh is set to manual.", "Refresh the index, or set refresh to automatic."
        if turned_back:
            evidence = f"Somebody went back to generation {readings.index.generation}."
            step = "Refresh the index once the earlier answers are no longer wanted."
        yield Finding(
            cause="index_behind",
            tone=Tone.HELD,
            icon="sync",
            what=f"The index lacks {plural(readings.index.unindexed, 'change')}",
            evidence=evidence,
            impact="A search does not see them.",
            step=step,
            button="Refresh the index",
            link="/Index",
            pages=frozenset({"Index"}),
            act=Act.REFRESH,
        )


def _drift(readings: Readings) -> Iterable[Finding]:
    check = readings.index.last_check if readings.index else None
    if check and check.disagree:
        yield Finding(
            cause="drift",
            tone=Tone.BAD,
            icon="difference",
            what=f"Table and index disagree in {plural(check.disagree, 'row')}",
            evidence=f"Checked {format_age(check.checked_at, readings.now)}.",
            impact="These rows are found wrongly, or not at all.",
            step="Look at the rows, then repair: its plan is shown first.",
            button=f"See the {plural(check.disagree, 'row')}",
            link="/Index?tab=Health",
            pages=frozenset({"Index"}),
        )


def _refresh_mode(settings: SettingsReading) -> object:
    return next((setting.value for setting in settings.settings if setting.name == "index.refresh"), None)


def _names(workers: list[Worker]) -> str:
    names = [worker.worker_id for worker in workers]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _access(readings: Readings) -> Iterable[Finding]:
    """The first check of the key that failed; else the first of the sheet that was tried last."""
    checks = readings.settings.checks if readings.settings else []
    last = next((check.spreadsheet_id for check in checks if check.spreadsheet_id), "")
    failed = next((check for check in checks if check.state is CheckState.FAILED and check.spreadsheet_id in ("", last)), None)
    if failed is not None:
        of_sheet = f" with “{failed.spreadsheet_title or failed.spreadsheet_id}”" if failed.spreadsheet_id else ""
        yield Finding(
            cause="access",
            tone=Tone.BAD,
            icon="key_off",
            what=f"Google sheets: {failed.detail}",
            evidence=f"Tried {format_age(failed.checked_at, readings.now)}{of_sheet}.",
            impact="This sheet cannot be used as it is." if of_sheet else "Google sheets cannot be imported or written to.",
            step=failed.action,
            button="Check again",
            link="/Settings?tab=Access",
            pages=frozenset({"Import", "Export"}),
            banner=True,
            act=Act.CHECK,
            check=_same_check(checks, failed),
        )


def _same_check(checks: list[Check], failed: Check) -> CheckRequest:
    """What was tried, once more: nothing is written to a sheet that was not tried for it."""
    tried = [check for check in checks if check.name is CheckName.MAY_WRITE and check.spreadsheet_id == failed.spreadsheet_id]
    writing = any(check.state is not CheckState.SKIPPED for check in tried)
    return CheckRequest(spreadsheet=failed.spreadsheet_id, tab=failed.tab, writing=writing)


#: Every rule, in the order in which findings of one tone stand.
RULES: tuple[Rule, ...] = (
    Rule("workers alive", "A worker of each role is alive.", ("workers",), _lost_capacity),
    Rule("workers heard from", "No worker is silent.", ("workers",), _stale_workers),
    Rule("workers paused", "Nobody holds a worker.", ("workers",), _paused_workers),
    Rule("failed rows", "No row has failed.", ("queue",), _failed_rows),
    Rule("last jobs", "The last job of each kind ended well.", ("jobs",), _failed_jobs),
    Rule("access to Google", "No check of the Google key or of the last sheet has failed.", ("settings",), _access),
    Rule("drift", "The last check found table and index to agree, or there was none.", ("index",), _drift),
    Rule("index up to date", "The index has all it should have.", ("index", "settings"), _index_behind),
)
#: What is looked at, in the words of the empty state.
CHECKED = ", ".join(rule.checks for rule in RULES)
