"""Import: choose a sheet, map its columns, review the plan, apply it. Where one stands is in the URL, so a link shows the same."""

from __future__ import annotations

from enum import IntEnum

import streamlit as st

from lib.contract.imports import MAX_CELL_CHARACTERS, MAX_COLUMNS, MAX_UNPACKED_GIB
from lib.contract.settings import SETTINGS
from lib.ui.frames.google_source import show_google_choice
from lib.ui.live import latest_settings, live_block
from lib.ui.marks import fold
from lib.ui.session import Params, get_param, go_to
from lib.ui.starts import show_sample_button
from lib.ui.uploader import show_uploader
from lib.ui.widgets import show_heading, step_list


class Step(IntEnum):
    """Where one stands on the way from a sheet to the table."""

    CHOOSE = 0
    MAP = 1
    REVIEW = 2
    APPLY = 3


STEP_WORDS = {Step.CHOOSE: "Choose", Step.MAP: "Map columns", Step.REVIEW: "Review", Step.APPLY: "Apply"}


def show_steps() -> Step:
    """Draw the four steps; which of them the URL names: a job, else a plan, else a file or a Google sheet, else the beginning."""
    step = (
        Step.APPLY
        if get_param(Params.JOB)
        else Step.REVIEW
        if get_param(Params.PLAN)
        else Step.MAP
        if get_param(Params.UPLOAD) or get_param(Params.SPREADSHEET)
        else Step.CHOOSE
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(step_list(step, STEP_WORDS), width="content")
        if step is not Step.CHOOSE:
            st.button("Start over", icon=":material/restart_alt:", key="start_over", on_click=go_to, type="tertiary")
    return step


# 1 · Choose


def show_choice() -> None:
    """Where a sheet may come from, limits first."""
    limit_mib = _limit_mib()
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True, height="stretch", key="choose_file"):
        show_heading("Your own sheet")
        limits = fold(_describe_reading(limit_mib), "Limits, and what a cell counts as")
        st.html(
            '<div class="sy-note">CSV, Excel workbook (.xlsx) or Parquet with a header row. How it was read is shown and can be '
            f"corrected; nothing is written before you have seen the plan.{limits}</div>"
        )
        upload_id = show_uploader(limit_mib << 20)
        if upload_id is not None:
            go_to(upload=upload_id)
            st.rerun()
    with right, st.container(border=True, height="stretch", key="choose_sample"):
        show_heading("The sample sheet")
        st.html(
            '<span class="sy-note">A support team’s playbook of about 150 entries: key, title, advice, category, owner, updated. '
            "It takes the same road as your own sheet.</span>"
        )
        _show_sample()
    show_google_choice()


def _describe_reading(limit_mib: int) -> str:
    return (
        f"At most {limit_mib:,} MiB, {MAX_COLUMNS} columns, {MAX_CELL_CHARACTERS:,} characters per cell. "
        f"A workbook may unpack to {MAX_UNPACKED_GIB} GiB; for more than about 500,000 rows choose CSV. "
        "A workbook’s cells are read as they are shown, errors such as #N/A included. "
        "Of number formats, zeros in front, decimals, thousands and percent count; all else is read by its plain value, "
        "a date as 2026-03-01."
    )


@st.fragment(key="sample")
def _show_sample() -> None:
    with live_block("sample"):
        show_sample_button()


def _limit_mib() -> int:
    settings = latest_settings()
    value = settings.value_of("import.max_upload_mib") if settings else SETTINGS["import.max_upload_mib"].default
    return int(value)
