"""The declared table of settings: its own consistency, and what it accepts."""

from __future__ import annotations

import pytest

from lib.contract.model import utc_now
from lib.contract.settings import SETTINGS, Setting, SettingReading, SettingsReading

NUMBERS = [setting for setting in SETTINGS.values() if not setting.choices and not setting.pattern]
CHOICES = [setting for setting in SETTINGS.values() if setting.choices]


def named(setting: Setting) -> str:
    return setting.name


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=named)
def test_a_default_passes_its_own_check(setting: Setting) -> None:
    assert setting.check(setting.default) is None


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=named)
def test_a_setting_is_named_after_its_section(setting: Setting) -> None:
    assert setting.name.startswith(f"{setting.section.lower()}.")


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_a_number_has_both_bounds_and_a_unit(setting: Setting) -> None:
    assert setting.minimum is not None
    assert setting.maximum is not None
    assert setting.minimum < setting.maximum
    assert setting.unit


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_the_bounds_themselves_are_accepted(setting: Setting) -> None:
    assert setting.minimum is not None
    assert setting.maximum is not None
    assert setting.check(setting.minimum) is None
    assert setting.check(setting.maximum) is None


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_one_beyond_a_bound_is_refused_with_the_bounds_in_words(setting: Setting) -> None:
    assert setting.minimum is not None
    assert setting.maximum is not None
    for value in (setting.minimum - 1, setting.maximum + 1):
        words = setting.check(value)
        assert words is not None
        assert f"{setting.minimum:,} and {setting.maximum:,} {setting.unit}" in words


@pytest.mark.parametrize("value", ["12", "", "many", True, False])
@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_text_and_truth_are_no_numbers(setting: Setting, value: str | bool) -> None:
    assert setting.check(value) == f"{setting.title} must be a whole number."


@pytest.mark.parametrize("setting", CHOICES, ids=named)
def test_only_the_choices_are_accepted_and_the_refusal_lists_them(setting: Setting) -> None:
    assert all(setting.check(choice) is None for choice in setting.choices)
    for value in ("", "AUTOMATIC", 1):
        words = setting.check(value)
        assert words is not None
        assert all(choice in words for choice in setting.choices)


def test_value_of_finds_a_setting_and_knows_when_there_is_none() -> None:
    reading = SettingsReading(settings=[SettingReading(name="export.keep_days", value=3, default=7)], taken_at=utc_now())
    assert reading.value_of("export.keep_days") == 3
    with pytest.raises(KeyError):
        reading.value_of("export.keep_weeks")


@pytest.mark.parametrize(
    "value", ["https://evil.example", "http://10.0.0.1:80", "http://127.0.0.1:80/path", "http://127.0.0.1.evil.example:80"]
)
def test_the_sheets_api_is_google_s_or_on_this_machine(value: str) -> None:
    setting = SETTINGS["sheets.api_url"]
    assert setting.check(value) == f"{setting.title} must be {setting.pattern_words}."
    assert setting.check("http://127.0.0.1:8123") is None
