"""The project's own copy of the feature list: id → priority and short title. `test_completeness.py` holds it against the marks.

A test says which features it proves with ``@pytest.mark.feature("I3")``.
"""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """``priority``: 0 comes first, then 1, then 2; None for a moonshot."""

    priority: int | None
    title: str


FEATURES: dict[str, Feature] = {
    # Cross-cutting
    "X1": Feature(0, "One conflict rule for all mutating work"),
    "X2": Feature(0, "Gate reasons"),
    "X3": Feature(0, "Cooperative cancel"),
    "X4": Feature(0, "Progress"),
    "X5": Feature(0, "Job history"),
    "X6": Feature(0, "Audit of every action"),
    "X7": Feature(1, "Roles"),
    "X8": Feature(0, "Confirmation ladder"),
    "X9": Feature(0, "Idempotent clicks"),
    "X10": Feature(0, "Connection honesty"),
    "X11": Feature(1, "State in the URL"),
    "X12": Feature(1, "Global search / go-to"),
    "X13": Feature(1, "Keyboard"),
    "X14": Feature(0, "Accessibility"),
    "X15": Feature(0, "Works offline"),
    # Home
    "H1": Feature(0, "Pipeline strip"),
    "H2": Feature(0, "Needs attention, ranked"),
    "H3": Feature(1, "Since you last looked"),
    "H4": Feature(0, "First-run checklist"),
    # Import
    "I1": Feature(0, "Sources"),
    "I2": Feature(0, "Preview/dry run"),
    "I3": Feature(0, "Apply exactly the preview"),
    "I4": Feature(0, "Deletion guard"),
    "I5": Feature(0, "Row errors"),
    "I6": Feature(0, "Re-embed only what changed"),
    "I7": Feature(1, "Column mapping"),
    "I8": Feature(0, "Last-run card"),
    "I9": Feature(0, "Worker coordination"),
    "I10": Feature(1, "Undo"),
    "I11": Feature(2, "Schedule / watch sheet"),
    # Export
    "E1": Feature(0, "Formats and scope"),
    "E2": Feature(0, "Preview against the live sheet"),
    "E3": Feature(0, "No half-written sheet"),
    "E4": Feature(1, "Conflicts"),
    "E5": Feature(0, "Formula safety"),
    "E6": Feature(0, "Downloads are jobs"),
    "E7": Feature(1, "Quota behaviour"),
    # Workers
    "W1": Feature(0, "States that mean something"),
    "W2": Feature(0, "Heartbeat"),
    "W3": Feature(0, "Pause / resume, one or all"),
    "W4": Feature(0, "Drain"),
    "W5": Feature(0, "What is it doing now"),
    "W6": Feature(1, "Stuck detection"),
    "W7": Feature(1, "Concurrency control"),
    # Queue
    "Q1": Feature(0, "Counts"),
    "Q2": Feature(0, "Charts + window"),
    "Q3": Feature(0, "Recent failures"),
    "Q4": Feature(0, "Retry"),
    "Q5": Feature(0, "Filter/search"),
    "Q6": Feature(1, "Failure groups"),
    "Q7": Feature(1, "Row trace"),
    "Q8": Feature(1, "Priorities"),
    # Index
    "N1": Feature(0, "Facts"),
    "N2": Feature(0, "Rebuild"),
    "N3": Feature(0, "Snapshot list"),
    "N4": Feature(0, "Snapshot = complete set"),
    "N5": Feature(0, "Restore safely"),
    "N6": Feature(0, "Drift count"),
    "N7": Feature(1, "Search probe"),
    "N8": Feature(1, "Recall check"),
    "N9": Feature(1, "Map"),
    # Settings
    "S1": Feature(0, "Real validation"),
    "S2": Feature(0, "Credentials"),
    "S3": Feature(0, "Share with this e-mail"),
    "S4": Feature(0, "Banners"),
    "S5": Feature(1, "Change preview and history"),
    "S6": Feature(1, "Backup/restore of settings"),
    "S7": Feature(1, "Diagnostics bundle"),
    # Live feed
    "L1": Feature(0, "SSE with ids and resume"),
    "L2": Feature(0, "Batching"),
    "L3": Feature(0, "One producer"),
    "L4": Feature(0, "Back-pressure"),
    "L5": Feature(0, "Polling fallback"),
    "L6": Feature(1, "User control"),
    # Moonshots
    "M1": Feature(None, "Import as a reviewed plan"),
    "M2": Feature(None, "Undo import"),
    "M3": Feature(None, "Restore rehearsal"),
    "M4": Feature(None, "Failure groups with one-click fix and retry"),
    "M5": Feature(None, "Map of the index"),
    "M6": Feature(None, "Drift triangle"),
    "M7": Feature(None, "Why not?"),
    "M8": Feature(None, "Links that carry the situation"),
    "M9": Feature(None, "Where is my row?"),
    "M10": Feature(None, "Golden questions"),
    "M11": Feature(None, "When will it be searchable?"),
    "M12": Feature(None, "Errors written back to the sheet"),
    "M13": Feature(None, "Three-way export merge"),
    "M14": Feature(None, "Shift log"),
    "M15": Feature(None, "Rehearsal room"),
}

#: P0 features no test proves yet. Take an id out with its first test; put none in.
NOT_YET: frozenset[str] = frozenset(
    {
    }
)
