"""Whether sheet, table and index agree, the rows behind each number, the repair, and what is odd about the vectors."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.health import Drift, DriftPage, DriftRow, HealthReading, IndexCheck, ListHealth, Recall, RepairPlan, VectorHealth
from lib.contract.states import DriftKind, Operation
from lib.ui.dialogs import Question, ask
from lib.ui.format import UNKNOWN, format_age, format_count, format_duration, format_ratio, plural
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, gate_of, last_known, latest_jobs, live_block, newest_jobs
from lib.ui.marks import Column, Mark, Tile, Tone, badge, facts, moment, table, tiles
from lib.ui.notices import Notice, attempt, describe_error, notify, show_trouble, start_key
from lib.ui.rows import row_link
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_paging, show_unknown

PAGE = 50
#: Lists of real texts are never of one size; beyond this a search does noticeably more than it should.
UNEVEN_ABOVE = 3.0
CHECKS = (Operation.CHECK, Operation.REPAIR)

#: kind → its name, what it means, what a repair does about it
DRIFT_WORDS: dict[DriftKind, tuple[str, str, str]] = {
    DriftKind.MISSING_VECTOR: ("No vector", "Rows in the table that have no vector, and nothing is on its way.", "queued again"),
    DriftKind.STALE: ("Old text", "Rows whose vector was made from an older text.", "queued again"),
    DriftKind.WRONG_MODEL: ("Wrong model", "Rows whose vector comes from another model than the index.", "queued again"),
    DriftKind.UNINDEXED: ("Not in the index", "Rows that have a vector, but the index does not hold it.", "the index is rebuilt"),
    DriftKind.ORPHANED: ("Without row", "Vectors in the index that belong to no row of the table.", "the index is rebuilt"),
    DriftKind.DUPLICATED: ("Twice in the index", "Rows that the index holds more than once.", "the index is rebuilt"),
}


@st.fragment(key="health")
def show_health() -> None:
    """Everything a check found, live."""
    with live_block("health"):
        show_heading("Does everything agree?", Topic.INDEX, note="sheet, table and index, compared row by row")
        try:
            reading = last_known("health", lambda: _get_check(newest_jobs()))
        except ClientError as error:
            show_trouble(describe_error(error, "The check cannot be read"))
            return
        if reading is None:
            show_unknown("What the last check found")
            return
        _show_actions(reading)
        if reading.latest is None:
            show_nothing(
                "Nothing was checked yet.",
                "A check compares every row of the table with the index and looks at every vector. It changes nothing.",
            )
            return
        _show_triangle(reading.latest)
        _show_kinds(reading.latest)
        _show_soundness(reading.looked)


def _show_actions(reading: HealthReading) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="health_buttons", gap="medium"):
        if gated_button("Check now", gate_of(Operation.CHECK), key="start_check", icon_name="fact_check", primary=reading.latest is None):
            _start_check()
        repair = reading.repair
        if repair is not None and (repair.to_embed or repair.rebuild):
            gate = repair.gate if connection_gate().allowed else connection_gate()
            if gated_button("Repair…", gate, key="start_repair", icon_name="build", primary=True):
                _ask_repair(repair)
    jobs = latest_jobs()
    for job in [job for job in jobs.active if job.operation in CHECKS] if jobs else []:
        show_active_job(job, key="checking")


def _start_check() -> None:
    job_id = attempt(lambda: get_client().start_check(start_key("check")), failing="The check was not started")
    if job_id is not None:
        notify("Check started; what it finds appears here", link=f"/?{Params.JOB}={job_id}")
    st.rerun()


def _ask_repair(plan: RepairPlan) -> None:
    """Tier 2: says exactly what would be done before it is."""
    steps = []
    if plan.to_embed:
        steps.append(
            f"**{plural(plan.to_embed, 'row')}** go back into the queue and are embedded again; vectors that are known already cost nothing"
        )
    if plan.rebuild:
        took = f" (the last build took {format_duration(plan.seconds)})" if plan.seconds is not None else ""
        steps.append(
            f"a new generation of the index is **built from the vectors** of the table{took}; the old one answers searches meanwhile"
        )
    steps.append("everything is **counted again**")
    ask(
        Question(
            title="Repair what the check found?",
            body="\n".join(f"{number}. {step}." for number, step in enumerate(steps, start=1)),
            reversible="The table's own rows are not changed, and the previous generation stays.",
            verb="Repair",
            perform=partial(_start_repair, plan.check_id),
        )
    )


def _start_repair(check_id: str, _: object) -> Notice:
    return Notice("Repair started", f"/?{Params.JOB}={get_client().start_repair(check_id, start_key('repair'))}")


def _show_triangle(check: IndexCheck) -> None:
    drift, sheet = check.drift, check.drift.sheet
    when = f"checked {moment(check.checked_at, now=now(), zone=zone())} by {escape(check.checked_by)}, in {format_duration(check.seconds)}"
    st.html(
        tiles([*_sides(drift), Tile(label="Disagree", value=format_count(drift.total), note=when, tone=Tone.BAD if drift.total else None)])
    )
    if sheet is not None and sheet.differences:
        link = f'<a href="/Import?{Params.PLAN}={quote(sheet.plan_id)}" target="_self">its preview</a>'
        st.html(
            f'<span class="sy-note">When “{escape(sheet.source_name)}” was last read, {plural(sheet.differences, "row")} of it differed '
            f"from the table and were not applied: {link}. The sheet may have changed since.</span>"
        )


def _sides(drift: Drift) -> list[Tile]:
    sheet = drift.sheet
    read = (
        f"read {moment(sheet.read_at, now=now(), zone=zone())}, {plural(sheet.differences, 'row')} differ"
        if sheet
        else "no sheet was read yet"
    )
    on_the_way = [f"{count:,} {word}" for count, word in ((drift.waiting, "wait"), (drift.failed, "failed")) if count]
    return [
        Tile(label="Sheet", value=format_count(sheet.records if sheet else None), note=read),
        Tile(label="Table", value=format_count(drift.entries), note=", ".join(on_the_way) or "none waits"),
        Tile(label="Index", value=format_count(drift.vectors), note="vectors" if drift.vectors is not None else "there is no index yet"),
    ]


_COLUMNS = [Column(title="Kind"), Column(title="Rows", number=True), Column(title="Means", wide=True), Column(title="A repair")]


def _show_kinds(check: IndexCheck) -> None:
    rows = [_kind_row(kind, check.drift.counts.get(kind)) for kind in DriftKind]
    st.html(table(_COLUMNS, rows, caption="How table and index disagree, by kind"))
    found = [kind for kind in DriftKind if check.drift.counts.get(kind)]
    if not found:
        return
    chosen = st.selectbox(
        "Show the rows of",
        found,
        format_func=lambda kind: f"{DRIFT_WORDS[kind][0]} ({check.drift.counts[kind]:,})",
        key="drift_kind",
        width=320,
    )
    _show_rows(check, chosen or found[0])


def _kind_row(kind: DriftKind, count: int | None) -> list[str]:
    name, meaning, repair = DRIFT_WORDS[kind]
    mark = (
        Mark(Tone.IDLE, "help", name)
        if count is None
        else Mark(Tone.BAD if count else Tone.DONE, "error" if count else "check_circle", name)
    )
    return [badge(mark), format_count(count), escape(meaning), escape(repair) if count else UNKNOWN]


def _show_rows(check: IndexCheck, kind: DriftKind) -> None:
    cursors: list[str | None] = st.session_state.setdefault(f"drift_{check.check_id}_{kind}", [None])
    try:
        page = last_known(f"drift_{kind}", partial(_list_drift, check.check_id, kind, cursors[-1]))
    except ClientError as error:
        show_trouble(describe_error(error, "The rows cannot be listed"))
        return
    if page is None:
        show_unknown("The rows")
        return
    columns = [Column(title="Key"), Column(title="Number"), Column(title="What is wrong", wide=True)]
    st.html(table(columns, [_drift_row(row) for row in page.items], caption=f"Rows: {DRIFT_WORDS[kind][0]}"))
    cut = f"; the first {page.listed:,} are listed" if page.listed < page.total else ""
    show_paging(cursors, page.next_cursor, key="drift", back="Back", on="More", words=f"{plural(page.total, 'row')} in all{cut}")


def _drift_row(row: DriftRow) -> list[str]:
    return [row_link(row.entry_id, row.key) if row.key is not None else UNKNOWN, str(row.entry_id), escape(row.detail)]


def _show_soundness(check: IndexCheck | None) -> None:
    """Of the newest check that looked at them: the ones that run by themselves only count."""
    when = f"generation {check.generation}, looked at {format_age(check.checked_at, now())}" if check else ""
    show_heading("Are the vectors sound?", note=when)
    rows = [*(vector_facts(check.vectors) if check.vectors else []), *(recall_facts(check.recall) if check.recall else [])] if check else []
    if rows:
        st.html(facts(rows))
    else:
        show_nothing("The vectors were not looked at.", "Checks that run by themselves only count. Check now to look at every vector.")


def vector_facts(vectors: VectorHealth) -> list[tuple[str, str, str]]:
    """What is odd about them, each with a sentence and some keys."""

    def count(number: int, name: str, *, bad: bool = True) -> str:
        keys = ", ".join(vectors.examples.get(name, []))
        mark = (
            Mark(Tone.DONE, "check_circle", "none")
            if not number
            else Mark(Tone.BAD if bad else Tone.HELD, "error" if bad else "info", f"{number:,}")
        )
        return badge(mark) + (f' <span class="sy-note">e.g. {escape(keys)}</span>' if keys else "")

    surplus = (
        f", {plural(vectors.duplicate_surplus, 'vector')} could be spared; the largest is of {vectors.largest_group:,}"
        if vectors.duplicate_groups
        else ""
    )
    return [
        (
            "Looked at",
            f"{format_count(vectors.vectors)} in {format_duration(vectors.seconds)}",
            "Every vector of the served generation, one by one.",
        ),
        ("Not numbers", count(vectors.not_finite, "not_finite"), "Vectors with an infinite or undefined part: a search never finds them."),
        ("Zero", count(vectors.zero, "zero"), "Vectors without direction: their text said nothing to the model."),
        ("Wrong length", count(vectors.off_norm, "off_norm"), "Vectors whose length is not 1: their scores are not comparable."),
        *list_facts(vectors.lists),
        ("Same vector", count(vectors.duplicate_groups, "duplicate", bad=False), f"Groups of rows with the very same text{surplus}."),
    ]


def list_facts(lists: ListHealth | None) -> list[tuple[str, str, str]]:
    """How evenly the lists are filled, where the kind of index has lists."""
    if lists is None:
        return []
    sizes = f"{lists.median:,} in the middle one, {lists.largest:,} in the largest, {lists.empty:,} empty"
    even = Mark(Tone.DONE, "check_circle", "even") if lists.imbalance <= UNEVEN_ABOVE else Mark(Tone.HELD, "warning", "uneven")
    words = f"{lists.lists:,} lists. A search looks at {lists.imbalance:.2f} times the vectors it would in lists of one size."
    return [("Lists", f'{badge(even)} <span class="sy-note">{sizes}</span>', words)]


def recall_facts(recall: Recall) -> list[tuple[str, str, str]]:
    """How many of the true nearest a search finds; “exact” where it compares with all."""
    if recall.exact:
        return [
            (
                "Recall",
                badge(Mark(Tone.DONE, "check_circle", "exact")),
                "This kind of index compares with every vector, so it finds all of the nearest.",
            )
        ]
    if recall.recall_ratio is None:
        return [("Recall", UNKNOWN, "No vector could be sampled.")]
    interval = f"{format_ratio(recall.low_ratio)} to {format_ratio(recall.high_ratio)}"
    return [
        (
            f"Recall@{recall.k}",
            f"<b>{recall.recall_ratio * 100:.1f} %</b> <span class='sy-note'>{interval}</span>",
            f"Of the {recall.k} true nearest, how many a search finds: mean of {plural(recall.sampled, 'vector')} with its 95 % interval.",
        ),
        (
            "Time of a search",
            f"{format_duration(recall.search_seconds)} <span class='sy-note'>exact: {format_duration(recall.exact_seconds)}</span>",
            "Median of the sample, against comparing with every vector.",
        ),
    ]


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _get_check(newest: str) -> HealthReading:  # noqa: ARG001  part of the key
    return get_client().get_check()


@st.cache_data(ttl=600, max_entries=64, show_spinner=False)
def _list_drift(check_id: str, kind: DriftKind, cursor: str | None) -> DriftPage:  # noqa: ARG001  part of the key
    return get_client().list_drift(kind, limit=PAGE, cursor=cursor)
