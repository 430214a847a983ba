"""Quantities as people read them: sizes, times, energy and money."""


def bytes_in_words(count: float) -> str:
    """Return a size such as ``1.3 GB`` (powers of 1,000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds_in_words(seconds: float | None) -> str:
    """Return a time such as ``0.4 s``, ``2 min 10 s`` or ``3 h 5 min``."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def energy_in_words(joules: float) -> str:
    """Return an energy such as ``850 J``, ``12.5 Wh`` or ``1.3 kWh`` (1 Wh is 3,600 J)."""
    hours = joules / 3600
    if hours < 1:
        return f"{joules:.0f} J"
    return f"{hours:.1f} Wh" if hours < 1000 else f"{hours / 1000:.1f} kWh"


def dollars_in_words(dollars: float) -> str:
    """Return US dollars such as ``$0.0042``, ``$1.25`` or ``$1,340``."""
    if dollars >= 1000:
        return f"${dollars:,.0f}"
    return f"${dollars:.2f}" if dollars >= 0.1 or dollars == 0 else f"${dollars:.2g}"
