"""Export: write the table to a file, or to a Google sheet by a reviewed plan."""

from __future__ import annotations

from lib.ui.frames.export_form import show_export_form
from lib.ui.frames.export_plan import show_export_plan
from lib.ui.frames.export_steps import Step, show_export_steps
from lib.ui.frames.exports import show_export_files
from lib.ui.frames.job_detail import show_open_job
from lib.ui.frames.jobs import show_job_history, show_last_run
from lib.ui.frames.writing import show_export_job
from lib.ui.shell import open_page

open_page("Export")
step, job = show_export_steps()
if step is Step.REVIEW:
    show_export_plan()
elif job is not None:
    show_export_job(job)
else:
    show_open_job()
    show_export_form()
    show_export_files()
    show_last_run("export")
    show_job_history("export")
