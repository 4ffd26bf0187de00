"""The report of a rehearsal: before beside after, which answers change, a search of both sides, and the button that promotes it."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.rehearsals import ImportChange, ModelChange, Rehearsal, SampleCounts
from lib.contract.states import JobState, Verdict
from lib.ui.dialogs import Question, ask
from lib.ui.focus import bring_to_report
from lib.ui.format import UNKNOWN, format_count, format_duration, format_size, format_until, plural
from lib.ui.frames.question_changes import show_question_changes
from lib.ui.frames.rehearsals import KIND_WORDS, VERDICT_MARKS, promotion_line, promotion_mark, show_throw_away
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, find_job, is_offline, last_known, live_block, newest_jobs
from lib.ui.marks import Column, Tile, Tone, badge, box, icon, moment, table, tiles
from lib.ui.notices import Notice, describe_error, show_trouble, start_key
from lib.ui.results import summarize
from lib.ui.rows import lines_beside
from lib.ui.session import Params, get_client, get_param, go_to, now, zone
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown

WORDS = {
    Verdict.GOOD: "By the rules below nothing would be found worse than now, as far as the sample can tell.",
    Verdict.WORSE: "It can be promoted, but searches would be answered worse than now.",
}
#: Hits of each side that are shown.
HITS = 5
_TONES = {Verdict.GOOD: Tone.DONE, Verdict.WORSE: Tone.BAD}


def show_open_rehearsal() -> None:
    """The rehearsal of the URL, if there is one; the URL is its permalink."""
    ident = get_param(Params.REHEARSAL)
    if ident is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_heading("Rehearsal", Topic.JOBS, note="tried beside production")
        st.button("Close", icon=":material/close:", key="close_rehearsal", on_click=go_to)
    bring_to_report(ident, "close_rehearsal")
    _show_rehearsal(ident)
    _show_search(ident)


@st.fragment(key="rehearsal")
def _show_rehearsal(ident: str) -> None:
    with live_block("rehearsal"):
        try:
            job = find_job(ident) or last_known(f"job_{ident}", lambda: get_client().get_job(ident))
            ready = job is not None and job.state is JobState.SUCCEEDED
            known = f"known_rehearsal_{ident}" in st.session_state
            report = last_known(f"rehearsal_{ident}", partial(_get_rehearsal, ident, newest_jobs())) if ready else None
        except ClientError as error:
            show_trouble(describe_error(error, "The report cannot be shown"))
            return
        if report is not None:
            if not known:  # the search stands outside this block, and comes with the report
                st.rerun()
            _show_report(report)
        elif job is None or job.state is JobState.SUCCEEDED:
            show_unknown("The report")
        elif job.is_active:
            show_active_job(job, key="rehearsal")
        else:
            link = f'<a href="/?{Params.JOB}={quote(ident)}" target="_self">its job</a>'
            what = f"{icon('error')} The rehearsal is {job.state}"
            st.html(box(Tone.BAD, what, escape(summarize(job)), f"Nothing of it was kept; {link} says more."))


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _get_rehearsal(ident: str, newest: str) -> Rehearsal:  # noqa: ARG001  part of the key
    return get_client().get_rehearsal(ident)


def _show_report(report: Rehearsal) -> None:
    flags = [f"{icon('flag')} {escape(flag)}" for flag in report.flags]
    promoted = f" {badge(promotion_mark(report.promotion))}" if report.promotion else ""
    name = f"{KIND_WORDS[report.change.kind]} {escape(report.name)}"
    st.html(box(_TONES[report.verdict], f"{badge(VERDICT_MARKS[report.verdict])} {name}{promoted}", WORDS[report.verdict], *flags))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_promote(report)
        show_throw_away(report.rehearsal_id, report.name, key="report")
    if report.promotion:
        st.html(f'<span class="sy-note">It was {promotion_line(report.promotion)}.</span>')
    st.html(f'<span class="sy-note">{escape(describe_sample(report.counts, report.change.kind))}</span>')
    st.html(tiles(report_tiles(report)))
    columns = [Column(title="In the sample", wide=True), Column(title="As it is", number=True), Column(title="As it would be", number=True)]
    st.html(table(columns, side_rows(report), caption="The sample before and after"))
    if report.after.whole_factory:
        st.html(f'<span class="sy-note">{escape(describe_index(report.after.whole_factory))}</span>')
    if report.questions_asked:
        show_question_changes(report.questions, asked=report.questions_asked)
    else:
        link = '<a href="/Index?tab=Golden questions" target="_self">Save some</a>'
        st.html(f"<p>{icon('quiz')} No golden question was asked, so nothing here knows what a right answer is. {link}.</p>")
    made, kept = moment(report.made_at, now=now(), zone=zone()), format_until(report.expires_at, now()).removeprefix("in ")
    st.html(
        f'<span class="sy-note">Rehearsed {made}, kept for {kept}. Rules: golden questions that pass now and would fail; rows the '
        "model refuses; more than 5 % more rows that share their vector with another.</span>"
    )


def describe_sample(counts: SampleCounts, kind: str) -> str:
    """Which rows took part, of how many."""
    alone = f"{plural(counts.unchanged, 'row')} of the table"
    if kind == "reembed":
        return f"Tried on {alone} (of {counts.table_rows:,}), those of golden questions among them; the others are drawn by chance."
    tried = counts.new + counts.changed + counts.removed
    share = f"the {plural(tried, 'row')}" if tried == counts.touched else f"{tried:,} of the {counts.touched:,} rows"
    return f"Tried on {share} that the import touches, and {alone} (of {counts.table_rows:,}) that it leaves alone, drawn by chance."


def report_tiles(report: Rehearsal) -> list[Tile]:
    """What was tried, what changes, and what the whole would still cost."""
    counts = report.counts
    span = f"{_percent(report.overlap_low_ratio)} – {_percent(report.overlap_high_ratio)}, {plural(report.queries, 'row')} looked at"
    changes = [Tile(label="New", value=format_count(counts.new)), Tile(label="Changed", value=format_count(counts.changed))]
    changes.append(Tile(label="Removed", value=format_count(counts.removed)))
    left = f"for the whole, about {format_duration(report.seconds)}" if report.seconds else "for the whole; no rate was measured"
    return [
        Tile(label="Rows tried", value=format_count(counts.rows), note=f"{plural(report.embedded, 'text')} embedded for it"),
        *(changes if isinstance(report.change, ImportChange) else []),
        Tile(
            label="Same neighbours",
            value=_percent(report.overlap_ratio),
            note=span if report.queries else "no row is there before and after",
            help="Of the 10 rows nearest to a row now, how many are still among them (in the table’s proportions)",
        ),
        Tile(label="Left to embed", value=format_count(report.to_embed), note=left if report.to_embed else "for the whole"),
    ]


def _percent(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{ratio:.1%}"


def side_rows(report: Rehearsal) -> list[tuple[str, ...]]:
    """Before and after, line by line."""
    sides = (report.before, report.after)
    return [
        ("Model", *(escape(side.embedder) for side in sides)),
        ("Dimension", *(format_count(side.dimension) for side in sides)),
        ("Rows with a vector", *(format_count(side.vectors) for side in sides)),
        ("Rows the model refuses", *(format_count(side.refused) for side in sides)),
        ("Rows that share their vector with another", *(format_count(side.shared) for side in sides)),
        ("Searched", *(escape(kind_word(side.factory)) for side in sides)),
        ("The whole index is searched", *(escape(kind_word(side.whole_factory)) for side in sides)),
        ("The whole index would take", *(format_size(side.index_bytes) for side in sides)),
    ]


def kind_word(factory: str | None) -> str:
    """How an index of this kind compares."""
    if factory is None:
        return UNKNOWN
    if factory.startswith("IVF"):
        return "compressed, in lists"
    return "exactly" if factory.endswith("Flat") else "compressed"


def describe_index(whole: str) -> str:
    """How far the scores of the sample are those of production, which is of the kind ``whole``."""
    if whole.startswith("IVF"):
        return (
            "The sample's small index is compressed as production's is, but looks at every row; production looks only into the lists "
            "nearest to a question, so it may miss about one of ten of what is found here."
        )
    if whole.endswith("Flat"):
        return "The sample's small index is exact, and so is production's with so many rows: the scores are the same."
    return "The sample's small index is compressed, as production's with so many rows; scores may differ a little, for each rounds its own."


def _show_promote(report: Rehearsal) -> None:
    gate = report.gate if connection_gate().allowed else connection_gate()
    if gated_button("Promote…", gate, key="promote", icon_name="publish", primary=report.verdict is Verdict.GOOD):
        _ask_promote(report)


def _ask_promote(report: Rehearsal) -> None:
    warning = "**The rehearsal found it worse than what is served.** " if report.verdict is Verdict.WORSE else ""
    left = f"{plural(report.to_embed, 'text')} still to be embedded" if report.to_embed else "nothing has to be embedded any more"
    change = report.change
    ask(_ask_import(report, change, warning, left) if isinstance(change, ImportChange) else _ask_model(report, change, warning, left))


def _ask_import(report: Rehearsal, change: ImportChange, warning: str, left: str) -> Question:
    """Tier 2, for it can be undone; tier 3 when removals that were held are part of it."""
    approved = change.approve_removals
    return Question(
        title=f"Promote the import of {report.name}?",
        body=f"{warning}Exactly the plan that was rehearsed is applied: **{plural(report.counts.touched, 'row')}** of the table are "
        f"touched; {left}. Searches are answered as before until the new generation is whole, then it is swapped in at once.",
        reversible="The import can be undone for 30 days.",
        typed=str(approved) if approved else "",
        type_label=f"To approve the removals, type their number: {approved}" if approved else "",
        verb="Promote",
        perform=partial(_promote_import, report.name, change),
    )


def _ask_model(report: Rehearsal, change: ModelChange, warning: str, left: str) -> Question:
    """Tier 3, as the change of the model itself."""
    return Question(
        title=f"Promote the change of the model to {report.name}?",
        body=f"{warning}Every row gets a vector of **{report.name}**; {left}. The present index answers until the new one is whole; then "
        "model and index change in one moment.",
        reversible="Until then it can be cancelled. Changing back later costs no call: the vectors are kept.",
        typed=report.name,
        type_label=f"To go on, type the model: {report.name}",
        verb="Promote",
        perform=partial(_promote_model, change),
    )


def _promote_import(name: str, change: ImportChange, _: object) -> Notice:
    job_id = get_client().start_import(change.request, start_key(f"import-{change.plan_id}"))
    return Notice(f"Import of {name} started: exactly as it was rehearsed", f"/Import?{Params.JOB}={job_id}")


def _promote_model(change: ModelChange, _: object) -> Notice:
    job_id = get_client().start_reembedding(change.request, start_key("reembed"))
    return Notice("Change of the model started", f"/?{Params.JOB}={job_id}")


def _show_search(ident: str) -> None:
    """Outside the live block, so that typing is never disturbed."""
    if f"known_rehearsal_{ident}" not in st.session_state or is_offline():
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="rehearsal_search"):
        text = st.text_input("Search before and after", key="rehearsal_text", placeholder="e.g. customer cannot log in", max_chars=10_000)
        st.button("Search both", icon=":material/search:", key="rehearsal_search_button")
    if not text or not text.strip():
        return
    try:
        result = get_client().search_rehearsal(ident, text.strip(), HITS)
    except ClientError as error:
        show_trouble(describe_error(error, "The sample was not searched"))
        return
    columns = st.columns(2, gap="medium")
    for column, title, mine, other in zip(
        columns, ("As it is", "As it would be"), (result.before, result.after), (result.after, result.before), strict=True
    ):
        with column:
            st.html(f'<div class="sy-name-line">{title} <span class="sy-note">in the sample</span></div>')
            if mine:
                st.html(f'<ol class="sy-hits sy-brief" aria-label="{title}">{lines_beside(mine, other)}</ol>')
            else:
                show_nothing("Nothing found.", "This side of the sample is empty.")
