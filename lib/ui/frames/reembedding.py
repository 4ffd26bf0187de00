"""Changing the model: choose it, see what it costs, then let every row be embedded again."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.settings import SETTINGS
from lib.contract.states import EmbedderKind, Operation
from lib.ui.dialogs import Question, ask
from lib.ui.format import UNKNOWN, format_count, format_duration, plural
from lib.ui.frames.rehearsals import show_rehearse_model
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, gate_of, latest_settings
from lib.ui.marks import facts
from lib.ui.notices import Notice, describe_error, show_trouble, start_key
from lib.ui.session import Params, get_client

_WORDS = {EmbedderKind.WORDLLAMA: "wordllama, on this machine", EmbedderKind.OPENAI: "a service that speaks OpenAI's /v1/embeddings"}


def show_reembedding() -> None:
    """Outside every live block: nothing that is being typed is disturbed."""
    with st.expander("Change the model…"):
        st.html(
            '<span class="sy-note">Vectors of two models never mix, so every row is embedded again. The present index answers until the '
            "new one is whole; then both model and index change in one moment.</span>"
        )
        request = _choose()
        if gated_button("Show what it costs", connection_gate(), key="plan_reembedding", icon_name="calculate"):
            st.session_state["reembedding"] = request
        if st.session_state.get("reembedding") == request:
            _show_plan(request)


def _choose() -> ReembedRequest:
    settings = latest_settings()
    stands = {setting.name: setting.value for setting in settings.settings} if settings else {}
    kind = st.selectbox("Model", list(EmbedderKind), format_func=lambda each: _WORDS[each], key="reembed_kind", width=420)
    if kind is not EmbedderKind.OPENAI:
        return ReembedRequest(embedder=EmbedderKind.WORDLLAMA)
    default = {name: stands.get(name, SETTINGS[name].default) for name in ("embedding.url", "embedding.model", "embedding.dimension")}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        url = st.text_input("Address", str(default["embedding.url"]), key="reembed_url", max_chars=300, width=320)
        model = st.text_input("Model's name", str(default["embedding.model"]), key="reembed_model", max_chars=200, width=240)
        dimension = st.number_input("Dimension", 1, 8192, int(default["embedding.dimension"]), key="reembed_dimension", width=140)
    return ReembedRequest(embedder=EmbedderKind.OPENAI, url=url or None, model=model or None, dimension=int(dimension))


def _show_plan(request: ReembedRequest) -> None:
    try:
        plan = get_client().get_reembedding(request)
    except ClientError as error:
        show_trouble(describe_error(error, "What it costs cannot be said"))
        return
    st.html(facts(plan_facts(plan)))
    if plan.embedder == plan.served and not plan.to_embed:
        st.html('<span class="sy-why">This is the model the index is made with already.</span>')
        return
    gate = plan.gate if connection_gate().allowed else gate_of(Operation.REEMBED)
    if gated_button("Embed every row again…", gate, key="start_reembedding", icon_name="model_training", primary=True):
        _ask(request, plan)
    show_rehearse_model(request)


def plan_facts(plan: ReembedPlan) -> list[tuple[str, str, str]]:
    """The cost, each part with a sentence."""
    return [
        ("From", plan.served or UNKNOWN, "The model of the served generation."),
        ("To", plan.embedder, "The model every row and every query would have."),
        (
            "Rows to embed",
            f"<b>{format_count(plan.to_embed)}</b> of {format_count(plan.rows)}",
            f"{plan.cached:,} have a vector of this model already.",
        ),
        ("Takes about", format_duration(plan.seconds), "From a measured rate on this machine; unknown for a service elsewhere."),
        _money(plan.embedder),
    ]


def _money(embedder: str) -> tuple[str, str, str]:
    if embedder.startswith(EmbedderKind.WORDLLAMA):
        return "Money", "none", "The model runs on this machine."
    return "Money", "unknown", "A service may charge for each row; its price is not known here."


def _ask(request: ReembedRequest, plan: ReembedPlan) -> None:
    """Tier 3: everything that is searched changes, and a service may charge for it."""
    ask(
        Question(
            title=f"Embed {plural(plan.to_embed, 'row')} with {plan.embedder}?",
            body=f"Texts of **{plural(plan.to_embed, 'row')}** go to the new model. Then the index changes over in one moment.",
            reversible="Until then it can be cancelled. Changing back later costs no call: the vectors are kept.",
            type_label=f"To go on, type the model: {plan.embedder}",
            typed=plan.embedder,
            verb="Embed again",
            perform=partial(_start, request),
        )
    )


def _start(request: ReembedRequest, _: object) -> Notice:
    job_id = get_client().start_reembedding(request, start_key("reembed"))
    st.session_state.pop("reembedding", None)
    return Notice("Change of the model started", f"/?{Params.JOB}={job_id}")
