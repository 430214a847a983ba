"""Two runs side by side: what differs in what they were made of, and whether results differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import hypot, isnan
from typing import TYPE_CHECKING, Any, cast

from sonde.core.errors import SondeError
from sonde.ledger.differences import Different, differing, differing_claims
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import ResultRow, RunDetail
from sonde.ledger.wording import difference_in_words, number_in_words
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.stats.effects import Effect

CLAIMS = "claims"  # of the settings
REST = {
    "name": "experiment",
    "variant": "variant",
    "purpose": "purpose",
    "seed": "seed",
    "model": "model",
    "commit_hash": "commit",
    "dirty": "uncommitted changes",
    "spec_path": "experiment file",
}
IN_SETTINGS = ("name", "purpose", "seed", "model")
FROM_INTERVALS = "from the intervals"


@dataclass(frozen=True, slots=True)
class ComparedResult:
    """A result that both runs have: the difference B − A, and whether it is more than noise.

    ``design`` is how the difference was found: ``paired``, ``partly paired`` or ``unpaired`` from
    the scores of units, or from the two intervals alone, as if the runs had no unit in common.
    """

    a: ResultRow
    b: ResultRow
    difference: Interval | None
    design: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs. ``differences`` are by topic; an empty one does not differ."""

    a: RunDetail
    b: RunDetail
    differences: Mapping[str, tuple[Different, ...]]
    results: tuple[ComparedResult, ...]
    only_a: tuple[ResultRow, ...]
    only_b: tuple[ResultRow, ...]


def compare(ledger: Ledger, a: int, b: int) -> Comparison:
    """Compare two runs.

    Results are matched by stage, name and metric; where each run has one result left over and the
    metrics are the same, these two are matched as well.

    Raises:
        SondeError: there is no such run.
    """
    first, second = ledger.details([a, b])
    pairs = list(_matched(first.results, second.results))
    differences = {
        "Settings": differing(_settings(first), _settings(second)),
        "Claims": differing_claims(_claims(first), _claims(second)),
        "Changes by --set": differing(_overrides(first), _overrides(second)),
        "Data": differing(_part(first, "files"), _part(second, "files")),
        "Weights": differing(_part(first, "model"), _part(second, "model")),
        "Inputs of stages": differing(_part(first, "inputs"), _part(second, "inputs")),
        "Versions": differing(first.run["versions"], second.run["versions"]),
        "Hardware": differing(first.run["hardware"], second.run["hardware"]),
        "Facts": differing(first.run["facts"], second.run["facts"]),
        "The rest": differing(_rest(first), _rest(second)),
    }
    same_data = _hashes(first) == _hashes(second)
    return Comparison(
        first,
        second,
        differences,
        tuple(_compared(ledger, one, other, same_data) for one, other in pairs),
        tuple(one for one in first.results if all(one is not left for left, _ in pairs)),
        tuple(one for one in second.results if all(one is not right for _, right in pairs)),
    )


def _matched(
    a: tuple[ResultRow, ...], b: tuple[ResultRow, ...]
) -> Iterator[tuple[ResultRow, ResultRow]]:
    others = {(one.stage, one.name, one.metric): one for one in b}
    left: list[ResultRow] = []
    for one in a:
        other = others.pop((one.stage, one.name, one.metric), None)
        if other is None:
            left.append(one)
        else:
            yield one, other
    right = list(others.values())
    if len(left) == len(right) == 1 and left[0].metric == right[0].metric:
        yield left[0], right[0]


def _settings(detail: RunDetail) -> dict[str, Any]:
    return {name: value for name, value in detail.run["resolved"].items() if name != CLAIMS}


def _claims(detail: RunDetail) -> Mapping[str, Any]:
    return detail.run["resolved"].get(CLAIMS) or {}


def _overrides(detail: RunDetail) -> dict[str, str]:
    pairs = (str(change).partition("=") for change in detail.run["overrides"])
    return {path: value for path, _, value in pairs}


def _part(detail: RunDetail, name: str) -> dict[str, Any]:
    """Return, by stage, the hashes of the files it read, its weights, or the keys of its inputs."""
    parts = {
        stage["name"]: cast("Mapping[str, Any]", stage["made_of"] or {}).get(name)
        for stage in detail.stages
    }
    return {stage: part for stage, part in parts.items() if part}


def _hashes(detail: RunDetail) -> set[str]:
    return {str(one) for files in _part(detail, "files").values() for one in files.values()}


def _rest(detail: RunDetail) -> dict[str, Any]:
    # Some are in the settings, where there are any.
    left = [name for name in REST if not (detail.run["resolved"] and name in IN_SETTINGS)]
    return {REST[name]: detail.run[name] for name in left}


def _compared(ledger: Ledger, a: ResultRow, b: ResultRow, same_data: bool) -> ComparedResult:
    if a.id == b.id:
        interval = a.score and Interval(0.0, 0.0, 0.0, a.score.n, a.score.level)
        return ComparedResult(a, b, interval, "", "One result, which a run took from the other.")
    if a.score is None or b.score is None:
        which = " and ".join(
            f"{name} is not applicable ({one.not_applicable})"
            for name, one in (("A", a), ("B", b))
            if one.score is None
        )
        return ComparedResult(a, b, None, "", f"Not compared: {which}.")
    try:
        effect = _effect(ledger, a, b)
    except SondeError as error:
        interval = _from_intervals(a.score, b.score)
        how = (
            "judged from the two intervals, as if no unit were shared, because the scores of "
            f"single units are missing ({error.what.rstrip('.')})"
        )
        return ComparedResult(a, b, interval, FROM_INTERVALS, _sentence(interval, how))
    how = _how(effect, same_data)
    return ComparedResult(a, b, effect.interval, effect.design, _sentence(effect.interval, how))


def _effect(ledger: Ledger, a: ResultRow, b: ResultRow) -> "Effect":
    from sonde.stats.effects import difference

    (first,), (second,) = ledger.scores(a.id), ledger.scores(b.id)
    effect = difference(second, first)
    if not first.same_rows(second):
        return effect
    # What was found is the same, and no sample of it: rounding would leave a spread of 1e-9.
    nothing = replace(effect.interval, value=0.0, low=0.0, high=0.0)
    return replace(effect, interval=nothing)


def _from_intervals(a: Interval, b: Interval) -> Interval:
    """Return b - a with the bounds of independent estimates: each distance is a hypotenuse."""
    value = b.value - a.value
    low = value - hypot(b.value - b.low, a.high - a.value)
    high = value + hypot(b.high - b.value, a.value - a.low)
    return Interval(value, low, high, min(a.n, b.n), a.level)


def _how(effect: "Effect", same_data: bool) -> str:
    shared, n = effect.n_shared, effect.interval.n
    how = {
        "paired": f"paired over {n:,} units",
        "partly paired": f"partly paired: {shared:,} of {n:,} units are in both",
    }.get(effect.design, f"unpaired: no unit is in both ({n:,} units)")
    if shared and not same_data:
        how += ", matched by name although the data differ"
    return how


def _sentence(interval: Interval, how: str) -> str:
    """Say whether a difference is more than noise: whether its interval leaves out zero."""
    if isnan(interval.value) or isnan(interval.low) or isnan(interval.high):
        return f"It cannot be said whether they differ; {how}."
    percent = f"{100 * interval.level:g} %"
    if interval.value == interval.low == interval.high == 0:
        return f"The same to the last unit; {how}."
    size = number_in_words(abs(interval.value))
    way = "higher" if interval.value > 0 else "lower"
    if interval.low > 0 or interval.high < 0:
        verdict = f"B is {way} by {size}, which is more than noise"
        return f"{verdict}: the {percent} interval leaves out 0; {how}."
    return (
        f"No more than noise: the {percent} interval of B − A, {difference_in_words(interval)}, "
        f"holds 0; {how}."
    )
