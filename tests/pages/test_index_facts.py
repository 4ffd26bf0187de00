"""The facts of the served generation: every one with a sentence that explains it."""

from __future__ import annotations

import re

import pytest
import streamlit as st

from lib.contract.events import Topic
from lib.contract.states import JobState, Operation
from tests.pages import canned

FACTS = {
    "Generation": "<b>3</b>",
    "Vectors": "150",
    "Not yet in it": "0",
    "Tombstones": "0",
    "Model": "wordllama",
    "Dimension": "256",
    "Compared by": "cosine",
    "Kind": "IDMap2,Flat",
    "Recall": "exact",
    "Size on disk": "154 KiB",
    "Built": "4 min ago</time>, took 0.3 s",
    "Built by": "Maria",
    "Id map": "consistent",
    "SHA-256": "9f86d081",
}


@pytest.mark.feature("N1")
def test_every_fact_is_shown_with_a_sentence_that_explains_it(visit):
    seen = visit("Index", "idle")
    shown = {
        name: (value, sentence)
        for name, value, sentence in re.findall(r'<dt>([^<]*)</dt><dd>(.*?)</dd><dd class="sy-note">(.*?)</dd>', seen.text)
    }
    for name, value in FACTS.items():
        assert value in shown[name][0], name
        assert shown[name][1].endswith((".", ").")), name
        assert len(shown[name][1].split()) >= 3, name


def test_an_approximate_index_is_not_called_exact_and_a_wrong_id_map_is_said(visit):
    seen = visit("Index", "idle")
    seen.hub.readings[Topic.INDEX] = canned.index_reading(factory="IDMap2,SQ8", ids_consistent=False, tombstones=4, unindexed=9)
    seen.run()
    assert "approximate" in seen.text
    assert "differs: rebuild the index" in seen.text
    assert "<dt>Tombstones</dt><dd>4</dd>" in seen.text


def test_the_time_of_full_builds_is_drawn_from_the_second_on(visit):
    seen = visit("Index", "idle")
    assert "Time of a full build" not in seen.text
    seen = visit("Index", "idle")
    seen.client.jobs = [
        canned.job(Operation.REBUILD, JobState.SUCCEEDED, job_id=str(n) * 32, result={"generation": n, "build_seconds": n / 10})
        for n in (2, 3)
    ]
    seen.hub.readings[Topic.INDEX] = canned.index_reading()
    st.cache_data.clear()
    seen.run()
    assert "Time of a full build" in seen.text
