"""Where the files are: results, reports, the ledger, the experiment file."""

from pathlib import Path

from sonde.experiments.log.history import History, standing
from sonde.experiments.log.markdown import code, table


def whereabouts(history: History) -> str:
    """Return the places of everything that stands."""
    rows = [("ledger", code(history.ledger))]
    rows += [
        (kind, code(place))
        for kind, column in (("experiment file", "spec_path"), ("results", "folder"))
        for place in dict.fromkeys(str(detail.run[column]) for detail in history.runs)
    ]
    for name, entries in standing(history).items():
        for entry in entries:
            labels = ", ".join(code(label) for label in entry.variants if label)
            what = code(name) + (f" in {labels}" if labels and len(entries) > 1 else "")
            folder = str(entry.stage["folder"])
            page = entry.stage["summary"].get("page")
            rows.append((what, code(Path(folder) / str(page) if page else folder)))
    return f"## Files\n\n{table(('what', 'where'), rows)}"
