"""``sonde agreement``."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from pathlib import Path

from sonde.cli.console import say, table
from sonde.core.errors import SondeError, nearest
from sonde.data.tables import Row, read_rows
from sonde.judges.agreement import JudgeAgreement, judge_agreement
from sonde.ledger.wording import difference_in_words, interval_in_words

SCORE, IDENTITY = "score", "id"
CONTENT = ("question", "answer")
NONE = frozenset({"", "nan", "none", "null"})  # what stands for no score in a text file


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """One judge's scores by answer; None where it gave none; and the answers' units."""

    name: str
    scores: Mapping[Hashable, float | None]
    groups: Mapping[Hashable, str] | None


def print_agreement(
    files: Sequence[Path], columns: Sequence[str], by: str | None, group: str | None
) -> None:
    """Print how far each two judges agree; a judge is a column of scores in a file.

    Raises:
        SondeError: there are fewer than two judges, a column is missing, a score is no number, or
            the files' answers cannot be joined.
    """
    read = {path: list(read_rows(path)) for path in dict.fromkeys(files)}
    key = _key(read, by)
    judges = [
        _score_column(path, rows, column, key, group)
        for path, rows in read.items()
        for column in _columns_of(path, rows, columns or [SCORE], group)
    ]
    if len(judges) < 2:
        raise SondeError(
            f"{judges[0].name} is one judge; agreement is between two.",
            fix="Give a second file, or a second column of this one: --column A --column B.",
        )
    names = _names(judges, one_file=len(read) == 1, one_column=len(columns) < 2)
    rows = [
        (names[a], names[b], *_cells(_agreement(judges[a], judges[b])))
        for a, b in combinations(range(len(judges)), 2)
    ]
    head = ("judge A", "judge B", "Spearman", "κ, quadratic", "|B − A|", "B − A", "n", "left out")
    table(head, rows, numbers=6)
    units = "answers" if group is None else f"the values of {group}"
    say(
        f"Intervals are of 95 %, over {units}. κ is 1 where both give the same scores, and 0 where "
        "they agree no more than by chance."
    )


def _key(read: Mapping[Path, Sequence[Row]], by: str | None) -> tuple[str, ...]:
    """Return the columns that name an answer; none where rows are joined by their order."""
    known = [_known(rows) for rows in read.values()]
    if by is not None:
        for path, rows in read.items():
            _require(by, path, rows)
        return (by,)
    for key in ((IDENTITY,), CONTENT):
        if all(columns.issuperset(key) for columns in known):
            return key
    counts = {str(path): len(rows) for path, rows in read.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{path} ({count})" for path, count in counts.items())
        raise SondeError(
            "The files have neither an id nor question and answer in common, and different numbers "
            f"of rows: {listed}.",
            fix="Name the column that says which answer a row is about: --by COLUMN.",
        )
    return ()


def _score_column(
    path: Path, rows: Sequence[Row], column: str, key: tuple[str, ...], group: str | None
) -> ScoreColumn:
    scores: dict[Hashable, float | None] = {}
    groups: dict[Hashable, str] = {}
    times: Counter[Hashable] = Counter()
    for number, (where, row) in enumerate(rows):
        name = tuple(str(row.get(part)) for part in key) or (str(number),)
        times[name] += 1
        if times[name] > 1 and len(key) == 1:
            raise SondeError(
                f"{where} has the {key[0]} {name[0]!r} of an earlier row.",
                fix="Name a column whose values are unique: --by COLUMN.",
            )
        # One answer to one question may have been given, and judged, several times.
        answer = (*name, times[name])
        scores[answer] = _score(row.get(column), where, column)
        if group is not None:
            groups[answer] = str(row.get(group))
    return ScoreColumn(f"{path.stem}: {column}", scores, None if group is None else groups)


def _score(given: object, where: str, column: str) -> float | None:
    if given is None or (isinstance(given, str) and given.strip().lower() in NONE):
        return None
    try:
        score = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SondeError(
            f"{where}: the {column} is {given!r}, which is no number.",
            fix="Leave the field empty where a judge gave no score.",
        ) from None
    return score if isfinite(score) else None


def _columns_of(
    path: Path, rows: Sequence[Row], columns: Sequence[str], group: str | None
) -> list[str]:
    """Return those of the columns that a file has, which is one at least."""
    if group is not None:
        _require(group, path, rows)
    found = [column for column in dict.fromkeys(columns) if column in _known(rows)]
    if not found:
        _require(columns[0], path, rows)
    return found


def _require(column: str, path: Path, rows: Sequence[Row]) -> None:
    known = sorted(_known(rows))
    if column not in known:
        raise SondeError(
            f"{path} has no column {column!r}.{nearest(column, known)}",
            fix=f"Its columns are {', '.join(known) or 'none: it has no rows'}.",
        )


def _known(rows: Sequence[Row]) -> set[str]:
    return {column for _, row in rows for column in row}


def _names(judges: Sequence[ScoreColumn], *, one_file: bool, one_column: bool) -> list[str]:
    """Return the shortest names that tell judges apart: the column's, the file's, or both."""
    stems, columns = zip(*(judge.name.split(": ", 1) for judge in judges), strict=True)
    for short, wanted in ((columns, one_file), (stems, one_column)):
        if wanted and len(set(short)) == len(short):
            return list(short)
    whole = [judge.name for judge in judges]
    return [f"{name} ({at})" if whole.count(name) > 1 else name for at, name in enumerate(whole, 1)]


def _agreement(a: ScoreColumn, b: ScoreColumn) -> JudgeAgreement:
    answers = list(dict.fromkeys([*a.scores, *b.scores]))
    groups = {**(a.groups or {}), **(b.groups or {})}
    try:
        return judge_agreement(
            [a.scores.get(answer) for answer in answers],
            [b.scores.get(answer) for answer in answers],
            [groups[answer] for answer in answers] if groups else None,
        )
    except SondeError as error:
        raise SondeError(f"{a.name} and {b.name}: {error.what}", fix=error.fix) from None


def _cells(found: JudgeAgreement) -> tuple[str, ...]:
    return (
        interval_in_words(found.spearman),
        interval_in_words(found.kappa),
        interval_in_words(found.apart),
        difference_in_words(found.shift),
        f"{found.n:,}",
        f"{found.left_out:,}",
    )
