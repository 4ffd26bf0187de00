"""Snapshots on the Index page: taken, listed, counted."""

from __future__ import annotations

import pytest
import streamlit as st

from lib.contract.operations import SnapshotRequest
from lib.contract.snapshots import SnapshotChange
from tests.pages import takebacks

#: The mark of the row a link speaks of.
MEANT = "this link's</span>"


def test_without_any_it_says_what_would_be_here_and_when_one_is_taken_by_itself(visit):
    seen = visit("Index", "fresh")
    assert "There is no snapshot yet." in seen.text
    assert "before an import that removes entries" in seen.text


def test_each_has_name_note_generation_vectors_size_age_and_who(visit):
    seen = visit("Index", "idle")
    row = next(html.proto.body for html in seen.app.get("html") if "before the big clean-up" in html.proto.body)
    for words in (
        "Maria removes the 2023 entries today",
        ">3</span>",
        ">150</span>",
        "156 KiB",
        "5 h ago",
        "by Maria",
        f"/?job={'6' * 32}",
    ):
        assert words in row
    assert "automatic, for local admin" in seen.text
    assert "2 snapshots, 1 of them automatic: of those the newest 5 are kept." in seen.text


@pytest.mark.feature("X11")
def test_a_link_to_a_snapshot_marks_its_row_and_says_so_when_it_is_gone(visit):
    known = visit("Index", "idle").client.snapshots[0]
    seen = visit("Index", "idle", snapshot=known.snapshot_id)
    assert [known.name in html.proto.body for html in seen.app.get("html") if MEANT in html.proto.body] == [True]
    gone = visit("Index", "idle", snapshot="gone").text
    assert MEANT not in gone
    assert "The snapshot of this link is not here" in gone


def test_taking_one_sends_name_and_note_and_empties_the_fields(visit):
    seen = visit("Index", "idle")
    seen.app.text_input(key="snapshot_name_0").set_value(" before the move ").run()
    seen.app.text_input(key="snapshot_note_0").set_value("just in case").run()
    seen.button("take_snapshot").click().run()
    ((request, key),) = seen.asked("start_snapshot")
    assert request == SnapshotRequest(name="before the move", note="just in case")
    assert key
    assert "Snapshot started" in seen.text
    assert seen.app.text_input(key="snapshot_name_1").value == ""


def test_a_download_says_its_checksum_which_is_not_that_of_the_index_inside(visit):
    seen = visit("Index", "idle")
    seen.client.snapshots = [takebacks.snapshot(bundle_sha256="5" * 64, bundle_bytes=163_840)]
    st.cache_data.clear()
    seen.button(f"download_{takebacks.SNAPSHOT_ID}").click().run()
    assert "SHA-256 of this file, to compare wherever it is brought" in seen.text
    assert "5" * 64 in seen.text
    assert "160 KiB" in seen.text


def test_a_snapshot_that_somebody_else_has_deleted_is_said_to_be_gone(visit):
    seen = visit("Index", "idle")
    seen.button(f"delete_{takebacks.SNAPSHOT_ID}").click().run()
    seen.typed_field().set_value("before the big clean-up").run()
    seen.client.gone = {takebacks.SNAPSHOT_ID}
    seen.button("dialog_confirm").click().run()
    assert "“before the big clean-up” is gone already: somebody was faster, or it was removed by age" in seen.text
    assert not seen.has_button("dialog_confirm")


def test_what_one_session_did_never_shows_another_what_was_read_before_its_own_act(visit):
    """The cache is one for all; counted, the first act of both would be the same."""
    first = visit("Index", "idle")
    first.button(f"pin_{takebacks.SNAPSHOT_ID}").click().run()
    second = visit("Index", "idle")
    second.button(f"pin_{takebacks.SNAPSHOT_ID}").click().run()
    assert second.app.session_state["snapshots_acted"] != first.app.session_state["snapshots_acted"]


def test_a_deleted_snapshot_leaves_the_list_at_once(visit):
    seen = visit("Index", "idle")
    seen.button(f"delete_{takebacks.SNAPSHOT_ID}").click().run()
    seen.typed_field().set_value("before the big clean-up").run()
    seen.client.snapshots = seen.client.snapshots[:1]
    seen.button("dialog_confirm").click().run()
    assert "1 snapshot, 1 of them automatic" in seen.text


def test_a_pin_is_set_at_once_and_taken_back_at_once(visit):
    seen = visit("Index", "idle")
    seen.button(f"pin_{takebacks.SNAPSHOT_ID}").click().run()
    seen.button("undo_action").click().run()
    assert seen.asked("change_snapshot") == [(takebacks.SNAPSHOT_ID, SnapshotChange(pinned=pinned)) for pinned in (True, False)]


def test_name_and_note_are_changed_in_a_dialog_that_wants_a_name(visit):
    seen = visit("Index", "idle")
    seen.button(f"edit_{takebacks.SNAPSHOT_ID}").click().run()
    seen.app.text_input(key="snapshot_new_name").set_value("  ").run()
    assert seen.button("dialog_confirm").disabled
    seen.app.text_input(key="snapshot_new_name").set_value("after the move ").run()
    seen.button("dialog_confirm").click().run()
    ((_, change),) = seen.asked("change_snapshot")
    assert change == SnapshotChange(name="after the move", note="Maria removes the 2023 entries today")


def test_a_download_says_first_what_the_file_can_tell_and_then_gives_the_link(visit):
    seen = visit("Index", "idle")
    assert "Keep this file as you keep the sheet" not in seen.text
    seen.button(f"download_{takebacks.SNAPSHOT_ID}").click().run()
    assert "Keep this file as you keep the sheet" in seen.text
    assert f"/api/snapshots/{takebacks.SNAPSHOT_ID}/file?ticket=" in seen.text
    seen.button(f"download_{takebacks.SNAPSHOT_ID}").click().run()
    assert "Keep this file" not in seen.text
