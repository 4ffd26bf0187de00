"""The report of an inspection: what is inside, what would change if it were served, a search in it, and the button that serves it."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.inspections import InspectedComparison, InspectedFacts, Inspection, RestoreRequest
from lib.contract.jobs import Job
from lib.contract.operations import Gate
from lib.contract.states import JobState, Operation, RefreshMode, Verdict
from lib.ui.dialogs import Question, ask
from lib.ui.faults import what_to_do
from lib.ui.focus import bring_to_report
from lib.ui.format import UNKNOWN, format_count, format_score, format_size, plural
from lib.ui.frames.index import METRIC_WORDS
from lib.ui.frames.question_changes import show_question_changes
from lib.ui.gates import gated_button
from lib.ui.live import find_job, gate_of, is_offline, last_known, latest_index, latest_jobs, live_block, newest_jobs, read_setting
from lib.ui.marks import Column, Mark, Tile, Tone, badge, box, code, facts, icon, moment, table, tiles
from lib.ui.notices import Notice, describe_error, show_trouble, start_key
from lib.ui.results import summarize
from lib.ui.session import Params, get_client, get_param, go_to, now, zone
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown

VERDICTS = {
    Verdict.GOOD: (Tone.DONE, Mark(Tone.DONE, "check_circle", "good"), "It may be served, and answers as it should."),
    Verdict.WORSE: (Tone.BAD, Mark(Tone.BAD, "error", "worse"), "It may be served, but it would answer worse than what is served now."),
    Verdict.STRANGE: (Tone.HELD, Mark(Tone.HELD, "help", "strange"), "You can look into it here. It cannot be served."),
    Verdict.REFUSED: (Tone.BAD, Mark(Tone.BAD, "block", "refused"), "It was not read. Nothing of it was kept."),
}

_SERVABLE = (Verdict.GOOD, Verdict.WORSE)


def show_open_inspection() -> None:
    """The inspection of the URL, if there is one; the URL is its permalink."""
    ident = get_param(Params.INSPECTION)
    if ident is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_heading("Inspection", Topic.JOBS)
        st.button("Close", icon=":material/close:", key="close_inspection", on_click=go_to)
    bring_to_report(ident, "close_inspection")
    _show_inspection(ident)
    _show_search(ident)


@st.fragment(key="inspection")
def _show_inspection(ident: str) -> None:
    with live_block("inspection"):
        jobs = latest_jobs()
        for active in jobs.active if jobs else []:
            if active.job_id == ident or active.operation is Operation.RESTORE:
                show_active_job(active, key="inspection")
        try:
            job = find_job(ident) or last_known(f"job_{ident}", lambda: get_client().get_job(ident))
            ready = job is not None and job.state is JobState.SUCCEEDED
            known = _known(ident) in st.session_state
            report = last_known(f"inspection_{ident}", partial(_get_inspection, ident, newest_jobs())) if ready else None
        except ClientError as error:
            show_trouble(describe_error(error, "The report cannot be shown"))
            return
        if job is not None and report is not None:
            if not known:  # the search stands outside this block, and comes with the report
                st.rerun()
            _show_report(report, job)
        elif job is None or job.state is JobState.SUCCEEDED:
            show_unknown("The report")
        elif not job.is_active:
            link = f'<a href="/?{Params.JOB}={quote(ident)}" target="_self">its job</a>'
            what = f"{icon('error')} The inspection is {job.state}"
            st.html(box(Tone.BAD, what, escape(summarize(job)), f"There is no report; {link} says more."))


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _get_inspection(ident: str, newest: str) -> Inspection:  # noqa: ARG001  part of the key
    return get_client().get_inspection(ident)


def _known(ident: str) -> str:
    """Where the session keeps the report once it was read."""
    return f"known_inspection_{ident}"


def _show_report(report: Inspection, job: Job) -> None:
    tone, mark, words = VERDICTS[report.verdict]
    reasons = [f"{icon('flag')} {escape(flag)}" for flag in report.flags]
    reasons += [f"{icon('block')} {escape(each.detail)} {code(each.fault)}" for each in report.obstacles]
    if advice := what_to_do(report.obstacles):
        reasons.append(f"{icon('arrow_forward')} {escape(advice)}")
    st.html(box(tone, f"{badge(mark)} “{escape(report.name)}”", words, *reasons))
    _show_restore(report)
    looked = f"Looked into {moment(job.finished_at, now=now(), zone=zone())} by {escape(job.requested_by)}"
    st.html(f'<span class="sy-note">{looked}{escape(beside_what(report.comparison))}.</span>')
    if report.comparison is not None:
        st.html(tiles(comparison_tiles(report.comparison)))
        if report.verdict in _SERVABLE:
            st.html(f'<span class="sy-note">{escape(what_follows(report.comparison))}</span>')
    if report.questions_asked:
        show_question_changes(report.questions, asked=report.questions_asked)
    if report.facts is not None:
        st.html(facts(inside(report.facts)))
        _show_sample(report.facts)


def beside_what(comparison: InspectedComparison | None) -> str:
    """Which generation the figures compare it with, and whether another one is served by now."""
    if comparison is None or comparison.served_generation is None:
        return ""
    then, index = comparison.served_generation, latest_index()
    served = index.generation if index else None
    later = f"; generation {served} is served by now, so look into it again for the figures of today" if served not in {then, None} else ""
    return f", beside generation {then}{later}"


def comparison_tiles(beside: InspectedComparison) -> list[Tile]:
    """The file beside the table: rows, vectors, recall."""
    sound = f"{beside.compared - beside.wrong:,} of {beside.compared:,}" if beside.compared else UNKNOWN
    unchanged = beside.in_both - beside.changed
    compared = f"a sample of {plural(unchanged, 'unchanged row')}" if beside.compared < unchanged else "of all unchanged rows"
    span = f"{_percent(beside.recall_low_ratio)} – {_percent(beside.recall_high_ratio)}, {plural(beside.queries, 'row')} tried"
    return [
        Tile(label="In both", value=format_count(beside.in_both), note=f"of {plural(beside.table_vectors, 'row')} with a vector"),
        Tile(label="Rows it lacks", value=format_count(beside.only_in_table), note="in the table, not in the file"),
        Tile(label="Rows it has too many", value=format_count(beside.only_in_file), note="in the file, not in the table"),
        Tile(label="Changed since", value=format_count(beside.changed), note="embedded anew after it was made"),
        Tile(label="Right vectors", value=sound, note=compared, tone=Tone.BAD if beside.wrong else None),
        Tile(
            label="Recall@10",
            value=_percent(beside.recall_ratio),
            note=f"{span}; served now: {_percent(beside.recall_served_ratio)}" if beside.queries else "nothing could be tried",
        ),
    ]


def _percent(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{ratio:.1%}"


def what_follows(beside: InspectedComparison) -> str:
    """What the refresh after a restore would have to do."""
    count = beside.only_in_table + beside.only_in_file + beside.changed
    if not count and not beside.wrong:
        return "If it is served, no refresh has anything to bring in line: table and file hold the same rows."
    what = "every row is taken up anew, because not all of its vectors proved right" if beside.wrong else plural(count, "row")
    when = "when somebody presses Refresh" if read_setting("index.refresh") == RefreshMode.MANUAL else "by itself, within moments"
    return f"If it is served, the next refresh brings it in line with the table, {when}: {what}."


def inside(found: InspectedFacts) -> list[tuple[str, str, str]]:
    """Every fact of the file with a sentence that says what it means."""
    lengths = " · ".join(format_score(each) if each is not None else UNKNOWN for each in (found.norm_min, found.norm_mean, found.norm_max))
    ids = f"{format_count(found.first_id)} – {format_count(found.last_id)}" if found.has_ids else "none: counted by place"
    return [
        ("Kind", code(found.kind), "FAISS' own word for how the vectors are kept."),
        ("Vectors", f"<b>{format_count(found.vectors)}</b>", "How many it holds."),
        ("Dimension", format_count(found.dimension), "Numbers per vector; must be the model's."),
        ("Compared by", escape(METRIC_WORDS.get(found.metric, found.metric)), "How near two vectors are."),
        ("Model", escape(found.embedder or UNKNOWN), "Only a set says which one made it; a bare FAISS file does not."),
        ("Generation", format_count(found.generation), "Its number where it was made."),
        ("Built", moment(found.built_at, now=now(), zone=zone()), "When, by its own word."),
        ("Ids", ids, "The least and the greatest."),
        ("Lengths", lengths, "Least, mean and greatest length of a vector; all should be 1."),
        ("Not of length 1", f"{format_count(found.off_norm)}, {format_count(found.zero_vectors)} of them zero", "By more than 5 %."),
        ("Duplicates", format_count(found.duplicate_vectors), "Vectors that another one equals: rows with the same text."),
        ("Find themselves", f"{found.self_hits} of {found.self_tried}", "Vectors searched for in the file itself."),
        ("Size", format_size(found.size_bytes), "Of the FAISS file."),
        ("SHA-256", code(found.sha256), "A copy with the same one is the same."),
    ]


def _show_sample(found: InspectedFacts) -> None:
    if found.sample and found.has_ids:
        unknown = '<span class="sy-muted">the table has no such row</span>'
        rows = [(str(row.entry_id), escape(row.key or UNKNOWN), escape(row.text or "") or unknown) for row in found.sample]
        columns = (Column(title="Id", number=True), Column(title="Key"), Column(title="Text", wide=True))
        st.html('<div class="sy-note">A sample of its ids, beside the table</div>' + table(columns, rows, caption="A sample of its ids"))


def _show_restore(report: Inspection) -> None:
    gate = gate_of(Operation.RESTORE)
    if gate.allowed and not report.gate.allowed:
        gate = Gate(allowed=False, reason_code=report.gate.reason_code, reason_text=report.gate.reason_text)
    if gated_button("Restore", gate, key="restore", icon_name="settings_backup_restore", primary=report.verdict is Verdict.GOOD):
        _ask_restore(report)


def _ask_restore(report: Inspection) -> None:
    """Tier 3: what is served is replaced."""
    reading, found = latest_index(), report.facts
    served = f"generation {reading.generation}" if reading and reading.generation else "nothing"
    vectors = plural(found.vectors, "vector") if found else UNKNOWN
    warning = "**The inspection found it worse than what is served.** " if report.verdict is Verdict.WORSE else ""
    follows = what_follows(report.comparison) if report.comparison else ""
    ask(
        Question(
            title=f"Restore “{report.name}”?",
            body=f"{warning}A new generation with its **{vectors}** is served instead of **{served}**. "
            "The table and its queue stay as they are; "
            f"embedding workers stand still for a moment. {follows}",
            reversible=way_back(report.comparison, served) if served != "nothing" else "",
            type_label=f"To serve it, type its name: {report.name}",
            typed=report.name,
            verb="Restore",
            perform=partial(_restore, report.inspection_id, report.name),
        )
    )


def way_back(beside: InspectedComparison | None, served: str) -> str:
    """Going back leads to the generation before: one that a refresh makes at once stands between."""
    differs = beside is None or bool(beside.only_in_table + beside.only_in_file + beside.changed + beside.wrong)
    if differs and read_setting("index.refresh") != RefreshMode.MANUAL:
        return f"A safety snapshot of {served} is taken first: restore that one to have it back."
    return f"A safety snapshot is taken first, and one click goes back to {served}."


def _restore(ident: str, name: str, _: object) -> Notice:
    job_id = get_client().start_restore(RestoreRequest(inspection_id=ident, typed_name=name), start_key("restore"))
    return Notice(f"Restore of “{name}” started; searches are answered as before until it is whole", f"/?{Params.JOB}={job_id}")


def _show_search(ident: str) -> None:
    """Outside the live block, so that typing is never disturbed."""
    known: Inspection | None = st.session_state.get(_known(ident))
    if known is None or known.facts is None or is_offline():
        return
    if why := why_not_searched(known.facts):
        st.html(f'<span class="sy-note">{escape(why)}</span>')
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="inspection_search"):
        text = st.text_input("Search in this file", key="inspection_text", placeholder="e.g. customer cannot log in", max_chars=10_000)
        st.button("Search the file", icon=":material/search:", key="inspection_search_button")
    if not text or not text.strip():
        return
    try:
        result = get_client().search_inspection(ident, text.strip())
    except ClientError as error:
        show_trouble(describe_error(error, "The file was not searched"))
        return
    if not result.hits:
        show_nothing("Nothing of the table was found.", f"{plural(result.unknown, 'hit')} of rows the table does not have.")
        return
    rows = [(format_score(hit.score), escape(hit.key), escape(hit.text[:200])) for hit in result.hits]
    columns = (Column(title="Score", number=True), Column(title="Key"), Column(title="Text", wide=True))
    st.html(table(columns, rows, caption="Hits in the inspected file") + _unknown_line(result.unknown))


def why_not_searched(found: InspectedFacts) -> str:
    """Why no text can be looked for in it; empty when one can."""
    if not found.has_ids:
        return "It cannot be searched for a text: its vectors carry no ids, so nobody knows which row each of them is of."
    index = latest_index()
    if index is not None and index.dimension not in {None, found.dimension}:
        return (
            f"It cannot be searched for a text: its vectors have {format_count(found.dimension)} components, "
            f"and the model in use makes vectors of {format_count(index.dimension)}."
        )
    return ""


def _unknown_line(unknown: int) -> str:
    words = f"Left out: {plural(unknown, 'hit')} whose row the table does not have."
    return f'<span class="sy-note">{words}</span>' if unknown else ""
