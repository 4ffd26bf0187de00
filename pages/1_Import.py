"""Import: bring a sheet into the table."""

from __future__ import annotations

from lib.ui.frames.applying import show_import_job
from lib.ui.frames.google_source import show_google_sheet
from lib.ui.frames.imports import Step, show_choice, show_steps
from lib.ui.frames.jobs import show_job_history, show_last_run
from lib.ui.frames.plans import show_plan
from lib.ui.frames.reading import show_file
from lib.ui.session import Params, get_param
from lib.ui.shell import open_page

open_page("Import")
step = show_steps()
match step:
    case Step.CHOOSE:
        show_choice()
    case Step.MAP if get_param(Params.SPREADSHEET):
        show_google_sheet()
    case Step.MAP:
        show_file()
    case Step.REVIEW:
        show_plan()
    case Step.APPLY:
        show_import_job()
if step is Step.CHOOSE:
    show_last_run("import")
    show_job_history("import")
