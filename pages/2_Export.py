"""Export: write the table to a file."""

from __future__ import annotations

from lib.ui.frames.export_form import show_export_form
from lib.ui.frames.exports import show_export_files
from lib.ui.frames.job_detail import show_open_job
from lib.ui.frames.jobs import show_job_history, show_last_run
from lib.ui.shell import open_page

open_page("Export")
show_open_job()
show_export_form()
show_export_files()
show_last_run("export")
show_job_history("export")
