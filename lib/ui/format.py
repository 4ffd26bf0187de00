"""Values into words: ages, durations, counts, sizes, rates. Pure; unknown is a dash, never a zero."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

UNKNOWN = "—"

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


def format_count(count: int | None) -> str:
    """1234567 → ``1,234,567``."""
    return UNKNOWN if count is None else f"{count:,}"


def format_short_count(count: int | None) -> str:
    """A count for a narrow place: ``987``, ``12.3k``, ``100k``, ``1.2M``."""
    if count is None:
        return UNKNOWN
    for bound, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= bound:
            scaled = count / bound
            return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.1f}{unit}".replace(".0", "")
    return str(count)


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_duration(seconds: float | None) -> str:
    """Two units at most: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None:
        return UNKNOWN
    seconds = max(0.0, seconds)
    if seconds < 0.001:
        return "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, rest_size, rest_unit in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // rest_size
            return f"{whole // size} {unit} {rest} {rest_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def format_age(at: datetime | None, now: datetime) -> str:
    """How long ago, in one unit: ``just now``, ``12 s ago``, ``3 min ago``, ``2 h ago``, ``5 d ago``."""
    if at is None:
        return UNKNOWN
    seconds = (now - at).total_seconds()
    if seconds < 2:
        return "just now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def format_until(at: datetime | None, now: datetime) -> str:
    """How long until, in two units: ``in 23 h 10 min``; ``passed`` when it is behind us."""
    if at is None:
        return UNKNOWN
    seconds = (at - now).total_seconds()
    return "passed" if seconds <= 0 else f"in {format_duration(seconds)}"


def format_moment(at: datetime | None, zone: tzinfo = UTC) -> str:
    """The absolute time with its zone: ``2025-03-01 14:05:09 CET``."""
    return UNKNOWN if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def format_clock(at: datetime | None, zone: tzinfo = UTC) -> str:
    """The time of day, for something that happened today: ``14:05:09``."""
    return UNKNOWN if at is None else at.astimezone(zone).strftime("%H:%M:%S")


def format_size(size_bytes: int | None) -> str:
    """Binary units: ``812 B``, ``79.3 KiB``, ``1.0 GiB``."""
    if size_bytes is None:
        return UNKNOWN
    size = float(size_bytes)
    for unit in _SIZES:
        if size < 1024 or unit == _SIZES[-1]:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def format_rate(per_second: float | None) -> str:
    """Items per second, or per minute when slower than one in two seconds."""
    if per_second is None:
        return UNKNOWN
    if per_second <= 0:
        return "0/s"
    if per_second < 0.5:
        return f"{per_second * 60:.1f}/min"
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def format_ratio(ratio: float | None) -> str:
    """0.254 → ``25 %``; below one percent one more digit."""
    if ratio is None:
        return UNKNOWN
    percent = ratio * 100
    return f"{percent:.1f} %" if 0 < percent < 1 else f"{percent:.0f} %"


def format_score(score: float) -> str:
    """A cosine, three digits."""
    return f"{score:.3f}"


def format_delimiter(delimiter: str | None) -> str:
    """The delimiter by its name, because a tab or a comma alone is hard to see."""
    return UNKNOWN if not delimiter else _DELIMITERS.get(delimiter, delimiter)


def shorten(text: str, limit: int = 120) -> str:
    """One line of ``text``, cut at ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
