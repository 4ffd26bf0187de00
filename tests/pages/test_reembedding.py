"""Changing the model on the Index page: nothing starts before its cost was shown and the model's name typed."""

from __future__ import annotations

import pytest

from lib.contract.reembedding import ReembedRequest
from lib.contract.states import EmbedderKind


@pytest.mark.feature("N2", "X8")
def test_the_cost_is_shown_and_the_name_typed_before_anything_starts(visit):
    seen = visit("Index", "idle")
    seen.app.selectbox(key="reembed_kind").set_value(EmbedderKind.OPENAI).run()
    assert not seen.asked("get_reembedding")
    seen.button("plan_reembedding").click().run()
    (request,) = seen.asked("get_reembedding")[0]
    assert request == ReembedRequest(embedder=EmbedderKind.OPENAI, url="http://127.0.0.1:11434/v1", model="nomic-embed-text", dimension=768)
    for words in (
        "<b>130</b> of 150",
        "20 have a vector of this model already",
        "<dt>Takes about</dt><dd>—</dd>",
        "<dt>Money</dt><dd>unknown</dd>",
    ):
        assert words in seen.text, words
    seen.button("start_reembedding").click().run()
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("nomic-embed-text-768").run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("start_reembedding")[0][0] == request
    assert "Change of the model started" in seen.text
