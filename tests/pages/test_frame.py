"""The frame around every page: one banner per cause, where one is, the shortcuts, and the box that finds anything."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from lib.contract.places import Place, PlaceKind
from lib.ui.banners import banners_of
from lib.ui.destinations import find_destinations
from lib.ui.keyboard import SHORTCUTS, Shortcut
from lib.ui.pages import PAGES, find_page
from lib.ui.rules import find_findings
from tests.pages.scenes import failed_readings


def readings():
    from lib.contract.events import Topic
    from lib.ui.findings import Readings
    from tests.pages.canned import now

    known = failed_readings()
    return Readings(**{topic.value: known[topic] for topic in Topic if topic is not Topic.SHIFT}, now=now())


def open_dialog(seen, name: str) -> None:
    seen.button(f"open_{name}").click()


def type_into_the_box(visit, page: str, text: str, scene: str = "idle", places: tuple[Place, ...] = ()):
    seen = visit(page, scene)
    seen.client.places = list(places)
    open_dialog(seen, "places")
    seen.run()
    seen.app.text_input(key="goto_text").set_value(text).run()
    return seen


def test_a_cause_has_one_banner_on_the_pages_it_affects_and_none_where_it_is_mended():
    findings = find_findings(readings())
    causes = {name: [finding.cause for finding in banners_of(name, [*findings, *findings])] for name in PAGES}
    assert causes["Queue"] == causes["Import"] == ["embedding_held"]
    assert causes["Workers"] == causes["Home"] == []


def test_a_banner_says_who_why_and_where_to_go(visit):
    seen = visit("Queue", "failed")
    assert "key is being replaced" in seen.text
    assert "Go to Workers" in seen.text


@pytest.mark.parametrize(
    ("page", "param", "thing"),
    [
        ("Home", "job", "Job ffffffff"),
        ("Import", "plan", "Plan ffffffff"),
        ("Index", "snapshot", "Snapshot ffffffff"),
        ("Index", "inspection", "Inspection ffffffff"),
    ],
)
def test_crumbs_name_what_is_open_and_lead_back_to_the_page(visit, page, param, thing):
    seen = visit(page, "idle", **{param: "f" * 32})
    crumb = seen.text.split('class="sy-crumb"')[1]
    assert thing in crumb
    assert 'class="sy-crumb"' not in visit(page, "idle").text


@pytest.mark.feature("X13")
def test_the_help_lists_every_shortcut_the_listener_knows_and_each_page_has_one(visit):
    seen = visit("Queue", "idle")
    open_dialog(seen, "shortcuts")
    seen.run()
    for shortcut in SHORTCUTS:
        assert shortcut.words in seen.text
        assert " ".join(f"<kbd>{key}</kbd>" for key in shortcut.keys.split(" ")) in seen.text
    assert {shortcut.page for shortcut in SHORTCUTS if shortcut.page} == set(PAGES)
    assert len({shortcut.keys for shortcut in SHORTCUTS}) == len(SHORTCUTS)


@pytest.mark.feature("X13")
def test_a_line_more_in_the_table_is_heard_and_stands_in_the_help(visit, monkeypatch):
    more = (*SHORTCUTS, Shortcut("g z", "Go to the last of all pages", "Settings"), Shortcut("!", "Say something"))
    monkeypatch.setattr("lib.ui.keyboard.SHORTCUTS", more)
    seen = visit("Queue", "idle")
    heard = json.loads(next(each.proto.json for each in seen.app.get("bidi_component") if each.proto.component_name.endswith("keyboard")))
    assert {*heard["pages"], *heard["shortcuts"]} == {shortcut.keys for shortcut in more}
    open_dialog(seen, "shortcuts")
    assert all(shortcut.words in seen.run().text for shortcut in more)


@pytest.mark.feature("X13")
def test_no_single_key_does_more_than_show_something():
    assert {shortcut.keys for shortcut in SHORTCUTS if " " not in shortcut.keys} == {"/", "?", "r"}


@pytest.mark.feature("X12")
@pytest.mark.parametrize(
    ("text", "kind", "link"),
    [
        ("que", "page", "/Queue"),
        ("rebuild", "action", "/Index"),
        ("audit", "action", "/Settings?tab=Audit"),
        ("keep_days", "setting", "/Settings"),
        ("text too long", "failures", "/Queue?cause=text+too+long"),
    ],
)
def test_pages_actions_settings_and_causes_are_found_without_the_service(text, kind, link):
    first = find_destinations(text)[0]
    assert (first.kind, first.link) == (kind, link)
    assert find_page(link) is not None


@pytest.mark.feature("X12")
def test_what_the_service_finds_stands_in_the_list_whatever_its_key_is_made_of(visit):
    seen = type_into_the_box(
        visit, "Home", "acc", places=(Place(kind=PlaceKind.ENTRY, title="A*C_[1]", detail="`x`", link="/Queue?row=1"),)
    )
    assert seen.asked("find_places") == [("acc", 10)]
    assert r"A\*C\_\[1\] :gray[row · \`x\`]" in seen.text
    assert "1 place<" in seen.text


@pytest.mark.feature("X12")
def test_each_line_is_a_link_to_the_place_with_its_parameters(visit):
    seen = type_into_the_box(visit, "Home", "audit")
    first = next(link.proto for link in seen.app.get("page_link") if "audit" in link.proto.label)
    assert (first.page, first.query_string) == ("Settings", "tab=Audit")


def test_leaving_the_place_where_the_list_was_opened_closes_it(visit):
    seen = type_into_the_box(visit, "Home", "audit")
    assert seen.dialog_title == "Go to"
    seen.app.query_params["job"] = "f" * 32
    assert seen.run().dialog_title == ""


def test_while_the_service_is_away_pages_are_still_found_and_the_rest_is_called_unknown(visit):
    seen = type_into_the_box(visit, "Queue", "index", scene="offline")
    assert "jobs and rows cannot be looked for" in seen.text
    assert "Index :gray[page" in seen.text
    assert not seen.asked("find_places")


@pytest.mark.feature("X11")
def test_what_a_link_carries_that_nobody_knows_is_said_and_left_aside(visit):
    seen = visit("Queue", "idle", window="99y", flavour="<b>red</b>", cause="text too long")
    said = seen.text.split("Part of this link was not understood")[1].split("left aside")[0]
    assert "window=99y" in said
    assert "flavour=&lt;b&gt;red&lt;/b&gt;" in said
    assert "cause" not in said
    seen.button("dismiss_strange").click().run()
    assert "not understood" not in seen.text


@pytest.mark.feature("X11")
@pytest.mark.parametrize(
    ("page", "params", "left_aside"),
    [
        ("Home", {"state": "odd", "period": "7 days"}, {"state=odd"}),
        ("Import", {"change": "sideways", "rule": "The key is shy"}, {"change=sideways", "rule=The key is shy"}),
        ("Export", {"format": "XML", "state": "failed", "target": "A drawer"}, {"format=XML", "target=A drawer"}),
        ("Export", {"since": "last week", "field": "colour", "keep": "Mine"}, {"since=last week", "field=colour", "keep=Mine"}),
        ("Export", {"columns": "weight", "field": "owner"}, {"columns=weight"}),
        ("Queue", {"rows": "All of them", "age": "over an hour"}, {"rows=All of them"}),
        ("Queue", {"import": "lost.csv · 00000000", "worker": "embedding-99"}, {"import=lost.csv · 00000000", "worker=embedding-99"}),
        ("Queue", {"row": "the third", "worker": "embedding-1"}, {"row=the third"}),
        ("Index", {"tab": "Secrets", "flavour": "red"}, {"tab=Secrets", "flavour=red"}),
        ("Index", {"k": "7", "q": "log in"}, {"k=7"}),
        ("Settings", {"tab": "Secrets"}, {"tab=Secrets"}),
    ],
)
def test_each_filter_and_tab_of_a_link_that_a_page_does_not_have_is_said(visit, page, params, left_aside):
    seen = visit(page, "idle", **params)
    said = seen.text.split("Part of this link was not understood")[1].split("left aside")[0]
    assert {f"{name}={value}" for name, value in params.items() if f"{name}={value}" in said} == left_aside
    seen.button("dismiss_strange").click().run()
    assert "not understood" not in seen.text


@pytest.mark.feature("X11")
@pytest.mark.parametrize(
    ("page", "params"),
    [
        ("Home", {"state": "succeeded", "operation": "Import", "period": "24 hours"}),
        ("Import", {"rule": "The key is empty"}),
        ("Export", {"since": "2026-11-01", "field": "owner", "columns": "title", "keep": "Write what the table has"}),
        ("Queue", {"window": "24h", "rows": "In work", "age": "over a day", "worker": "embedding-2", "row": "101"}),
        ("Index", {"tab": "Health"}),
    ],
)
def test_a_link_that_is_understood_is_not_talked_about(visit, page, params):
    assert "not understood" not in visit(page, "idle", **params).text


@pytest.mark.feature("X11")
def test_while_nobody_answers_a_link_may_mean_any_import(visit):
    assert "import=lost.csv" not in visit("Queue", "offline", **{"import": "lost.csv · 00000000"}).text


def test_one_choice_of_the_zone_holds_for_words_axes_and_the_state_bar(visit, monkeypatch):
    monkeypatch.setattr("lib.ui.session.browser_zone", lambda: ZoneInfo("Asia/Tokyo"))
    seen = visit("Queue", "failed")
    assert "Times in <b>JST</b>" in seen.text
    assert " JST" in seen.text
    assert charts_in_utc(seen) == {False}
    seen.app.segmented_control(key="zone").set_value("UTC").run()
    assert "Times in <b>UTC</b>" in seen.text
    assert "JST" not in seen.text
    assert charts_in_utc(seen) == {True}


def charts_in_utc(seen):
    return {'"utc"' in chart.proto.spec for chart in seen.app.get("vega_lite_chart")}
