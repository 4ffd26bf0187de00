"""The look of the pieces that Streamlit has no widget for: one style sheet, drawn once per page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

#: While the service does not answer, the data itself looks old: drained of colour, behind an amber edge.
STALE_STYLE = """<style>
[class*="st-key-live_"] { filter: grayscale(1); opacity: .9; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-live_"]) { border-left: 3px solid var(--sy-held); padding-left: .8rem; }
</style>"""


@cache
def build_style() -> str:
    """The whole sheet as one ``<style>`` element."""
    return f"<style>{(Path(__file__).parent / 'assets' / 'console.css').read_text('utf-8')}</style>"
