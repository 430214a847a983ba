"""What can be wrong with claims before anything runs: unknown names, a forbidding purpose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sonde.core.errors import SondeError, nearest
from sonde.experiments.claims.along import Changes, factor_values, is_ordered, series_along
from sonde.experiments.claims.references import HOW, ResultReference, parse_reference
from sonde.experiments.claims.specification import AllOf, AnyClaim, Claims, Trend
from sonde.experiments.stage import Stage

Place: TypeAlias = Callable[[tuple[int | str, ...]], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """The stages that claims can speak of, and the variants of the sweep by label."""

    stages: Mapping[str, Stage]
    variants: Mapping[str, Changes]
    place: Place  # turns a path of the file into words, with its line

    @property
    def swept(self) -> tuple[str, ...]:
        """The paths of the sweep."""
        return tuple(next(iter(self.variants.values())))

    @property
    def measuring(self) -> tuple[str, ...]:
        """The stages that have results."""
        return tuple(name for name, stage in self.stages.items() if stage.result_names().any)


def check_purpose(purpose: str, claims: Claims) -> None:
    """Refuse claims that the purpose of the run does not allow.

    Raises:
        SondeError: a smoke run makes a claim, or a run that is not confirmatory a confirmatory one.
    """
    if purpose == "smoke" and claims:
        raise SondeError(
            f"A smoke run may make no claim, and the file makes {len(claims)}: "
            f"{', '.join(claims)}.",
            fix="Write `purpose: exploratory`, or run it with --set claims={}.",
        )
    wanting = [name for name, claim in claims.items() if claim.mode == "confirmatory"]
    if wanting and purpose != "confirmatory":
        raise SondeError(
            f"claims.{wanting[0]} is confirmatory, and the purpose of the experiment is {purpose}.",
            fix="Write `purpose: confirmatory` at the top of the file, before it is first run; or "
            "`mode: exploratory` in the claim.",
        )


def check_claims(claims: Claims, references: Sequence[str], setting: Setting) -> None:
    """Refuse claims and reference values that speak of what is not there.

    Raises:
        SondeError: a stage, result, variant, swept path or claim is unknown; the nearest is named.
    """
    for name, claim in claims.items():
        place = setting.place(("claims", name))
        if isinstance(claim, AllOf):
            _check_parts(claim, name, claims, place)
            continue
        for reference in claim.references():
            _check_reference(reference, setting, place)
            _check_units(reference, setting, place)
        _check_variants(claim, setting, place)
    for text in references:
        place = setting.place(("references", text))
        reference = parse_reference(text)
        _check_reference(reference, setting, place)
        if reference.against:
            raise SondeError(
                f"{place} names a control or baseline; a reference value is for a result.",
                fix=f"Write {reference.stage}.{reference.result}.",
            )


def _check_parts(claim: AllOf, name: str, claims: Claims, place: str) -> None:
    others = [
        other for other, one in claims.items() if other != name and not isinstance(one, AllOf)
    ]
    for part in claim.of:
        if part not in others:
            said = "is itself" if part == name else "is an all_of itself"
            said = said if part in claims else "is not a claim"
            raise SondeError(
                f"{place}.of names {part!r}, which {said}.{nearest(part, others)}",
                fix=f"Other claims are {', '.join(others) or 'none'}.",
            )
    if len(set(claim.of)) < len(claim.of):
        raise SondeError(f"{place}.of names a claim twice: {', '.join(claim.of)}.")


def _check_reference(reference: ResultReference, setting: Setting, place: str) -> None:
    measuring = setting.measuring
    if reference.stage not in setting.stages:
        raise SondeError(
            f"{place} reads {str(reference)!r}, but there is no stage {reference.stage!r}."
            f"{nearest(reference.stage, measuring)}",
            fix=f"Stages with results are {', '.join(measuring) or 'none'}. {HOW}",
        )
    known = setting.stages[reference.stage].result_names()
    if not known.any:
        raise SondeError(
            f"{place} reads {str(reference)!r}, but {reference.stage!r} measures nothing.",
            fix=f"Stages with results are {', '.join(measuring) or 'none'}.",
        )
    if not known.has(reference.result):
        raise SondeError(
            f"{place} reads {str(reference)!r}, but {reference.stage!r} has no result "
            f"{reference.result!r}.{nearest(reference.result, known.names)}",
            fix=f"Its results are {known.words}.",
        )
    if reference.against and reference.against not in known.against:
        raise SondeError(
            f"{place} reads {str(reference)!r}, but results of {reference.stage!r} have no control "
            f"or baseline {reference.against!r}.{nearest(reference.against, known.against)}",
            fix=f"They have {', '.join(known.against) or 'none'}.",
        )
    if reference.variant and reference.variant not in setting.variants:
        labels = [label for label in setting.variants if label]
        raise SondeError(
            f"{place} reads the variant [{reference.variant}], which the sweep does not have."
            f"{nearest(reference.variant, labels)}",
            fix=f"Variants are {', '.join(f'[{label}]' for label in labels[:12])}."
            if labels
            else "The file has no sweep; leave the brackets out.",
        )


def _check_units(reference: ResultReference, setting: Setting, place: str) -> None:
    """Refuse a result that keeps no scores of single units: no claim can be judged on it."""
    instead = setting.stages[reference.stage].result_names().whole.get(reference.result)
    if instead is not None:
        raise SondeError(
            f"{place} reads {str(reference)!r}, which is one number of all units together; a claim "
            "is judged on the scores of single units, and there are none of it.",
            fix=f"Write {reference.stage}.{instead}.",
        )


def _check_variants(claim: AnyClaim, setting: Setting, place: str) -> None:
    named = [bool(reference.variant) for reference in claim.references()]
    if any(named) and not all(named):
        raise SondeError(
            f"{place} names a variant for one result and none for another.",
            fix="Name the variant of each, or of none: then the claim is judged once a variant.",
        )
    if not isinstance(claim, Trend) or claim.along is None:
        return
    if any(named):
        raise SondeError(
            f"{place} takes the variants `along` {claim.along}, and names one too.",
            fix="Leave the brackets out.",
        )
    if claim.along not in setting.swept:
        raise SondeError(
            f"{place}.along is {claim.along!r}, which is not swept over."
            f"{nearest(claim.along, setting.swept)}",
            fix=f"The sweep has {', '.join(setting.swept) or 'no paths'}.",
        )
    _check_factor(claim, claim.along, setting, place)


def _check_factor(claim: Trend, along: str, setting: Setting, place: str) -> None:
    """Refuse a factor with one value, values in no order, or `at` of another length."""
    _, labels = next(series_along(along, setting.variants))
    values = claim.at or factor_values([setting.variants[label][along] for label in labels])
    if len(values) != len(labels):
        raise SondeError(
            f"{place}.at has {len(values)} values, and {along} is swept over {len(labels)}."
        )
    if len(values) < 2:
        raise SondeError(f"{place} is a trend along {along}, which has one value only.")
    if not is_ordered(values):
        shown = ", ".join(f"{value:g}" for value in values)
        raise SondeError(
            f"{place} is a trend along {along}, whose values are in no order: {shown}.",
            fix="Let each be larger, or each smaller, than the one before.",
        )
