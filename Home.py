"""Switchyard starts here: imported once by the server for its ASGI ``app``, run for each browser session as the Home page."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from fastapi import FastAPI

    from lib.service.embedded import Embedded
    from lib.ui.late_ticks import without_late_ticks
    from lib.ui.theme_once import spell_theme_once
    from lib.ui.warmup import warm_up

    console = st.App(__file__)
    hosts = [st.get_option("server.address") or "127.0.0.1"]
    embedded = Embedded(without_late_ticks(console), console_lifespan=console.lifespan(), hosts=hosts)
    app = FastAPI(lifespan=embedded.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/", embedded)
    spell_theme_once()
    warm_up()
else:
    from lib.ui.frames.job_detail import show_open_job
    from lib.ui.frames.jobs import show_job_history
    from lib.ui.frames.overview import show_overview
    from lib.ui.frames.shift import show_shift
    from lib.ui.shell import open_page

    open_page("Home")
    show_open_job()
    show_overview()
    show_shift()
    show_job_history()
