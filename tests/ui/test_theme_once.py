"""The theme that every run carries is the one Streamlit would have written, written once."""

from __future__ import annotations

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

from lib.ui.theme_once import spell_theme_once

SECTIONS = ("theme", "theme.light", "theme.dark", "theme.sidebar", "theme.light.sidebar", "theme.dark.sidebar")


def spell() -> CustomThemeConfig:
    """In the order in which Streamlit asks for its parts."""
    theme = CustomThemeConfig()
    parts = (theme, theme.light, theme.dark, theme.sidebar, theme.light.sidebar, theme.dark.sidebar)
    for part, section in zip(parts, SECTIONS, strict=True):
        app_session._populate_theme_msg(part, section)
    return theme


def test_every_run_carries_the_theme_streamlit_would_write_and_reads_the_configuration_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    options: dict[str, dict[str, object]] = {
        "theme": {"primaryColor": "#123456", "base": "dark", "chartCategoricalColors": ["#111", "#222"]},
        "theme.light": {"textColor": "#000"},
    }

    def read(section: str) -> dict[str, object]:
        asked.append(section)
        return options.get(section, {"textColor": None})

    monkeypatch.setattr(config, "get_options_for_section", read)
    monkeypatch.setattr(app_session, "_populate_theme_msg", app_session._populate_theme_msg)
    by_streamlit = spell()
    assert (by_streamlit.primary_color, by_streamlit.light.text_color, by_streamlit.HasField("dark")) == ("#123456", "#000", False)
    asked.clear()
    spell_theme_once()
    assert [spell(), spell(), spell()] == [by_streamlit] * 3
    assert sorted(asked) == sorted(SECTIONS)
