"""What was asked: the question, the steps, and the claims with the times of their registration."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from sonde.experiments.claims.specification import content_of
from sonde.experiments.log.history import History
from sonde.experiments.log.markdown import bullets, code, escape, one_line, table
from sonde.experiments.spec import Specification
from sonde.ledger.records import Registration

NO_QUESTION = "The experiment file states no question."


def top(spec: Specification, history: History) -> str:
    """Return the title, the question, and how far things are."""
    question = one_line(spec.variants[0].experiment.question)
    return "\n\n".join(
        (
            f"# Log of {escape(spec.name)}",
            f"> {escape(question)}" if question else NO_QUESTION,
            _so_far(spec, history),
            "Written by `sonde log` from the ledger. Between a pair of comments such as the two "
            "below is a place for your own remarks: what stands there is kept when the log is "
            "written again. Everything else is written anew.",
        )
    )


def _so_far(spec: Specification, history: History) -> str:
    runs = history.runs
    if not runs:
        return f"It has not been run yet: {code(f'sonde run {spec.path.name}')} does."
    newest = runs[len(runs) - 1]
    first, last = day(runs[0].run["started"]), day(newest.run["started"])
    when = f"on {first}" if first == last else f"from {first} to {last}"
    count = f"{len(runs):,} run{'s' if len(runs) > 1 else ''} {when} (UTC)"
    return f"{count}; the last is {newest.run['state']}. {_claims_so_far(history)}".strip()


def _claims_so_far(history: History) -> str:
    latest = {(one.name, one.variant): one.verdict for one in history.verdicts}
    if not latest:
        return ""
    counts = {verdict: list(latest.values()).count(verdict) for verdict in latest.values()}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"Verdicts: {said}."


def asked(spec: Specification, history: History) -> str:
    """Return the purpose, the steps of the file as it is now, and its claims."""
    experiment = spec.variants[0].experiment
    parts = [
        "## What was asked",
        f"Purpose: {experiment.purpose}. File: {code(spec.path.name)}. The steps, in the order in "
        "which they run:",
        table(("step", "kind", "reads", "only if"), [_step(spec, one) for one in _order(spec)]),
    ]
    labels = [code(variant.label) for variant in spec.variants if variant.label]
    if labels:
        parts.append(f"Swept over {len(labels)} variants: {', '.join(labels)}.")
    claims = _claims(spec, history)
    parts += ["### Claims", claims] if claims else ["No claims are made."]
    return "\n\n".join(parts)


def _order(spec: Specification) -> tuple[str, ...]:
    return spec.variants[0].order


def _step(spec: Specification, name: str) -> tuple[str, ...]:
    experiment = spec.variants[0].experiment
    stage = experiment.stages[name]
    kind = str(stage.model_dump(include={"kind"})["kind"])
    reads = ", ".join(code(other) for other in experiment.needs(name))
    return code(name), escape(kind), reads, code(stage.when or "")


def _claims(spec: Specification, history: History) -> str:
    """Return everything that was claimed, by claim: each version with its time, the oldest first.

    The claims of the file come first, then those that were registered and are no longer in it.
    """
    rows: list[tuple[str, ...]] = []
    for name in dict.fromkeys((*spec.claims, *(one.name for one in history.claims))):
        known = [one for one in history.claims if one.name == name]
        stands = known[-1] if known else None
        if name in spec.claims:
            stands = history.registered(name, content_of(name, spec.claims))
        for one, after in zip_longest(known, known[1:]):
            replaced = "" if one is stands or after is None else minute(after.registered)
            rows.append(_claim(name, one.content, _registered(one, replaced)))
        if name in spec.claims and stands is None:
            rows.append(_claim(name, content_of(name, spec.claims), "not yet"))
    return table(("claim", "mode", "what is claimed", "decided by", "registered (UTC)"), rows)


def _registered(one: Registration, replaced: str) -> str:
    when = minute(one.registered)
    if one.after_results:
        when += ", after results were there"
    return f"{when}; claimed until {replaced}" if replaced else when


def _claim(name: str, content: Mapping[str, Any], when: str) -> tuple[str, ...]:
    return (
        code(name),
        escape(content.get("mode", "")),
        escape(content.get("statement", "")),
        decision(content),
        when,
    )


def decision(content: Mapping[str, Any]) -> str:
    """Return what decides a claim, from what was registered of it."""
    kind, of, by = content.get("kind"), content.get("of"), content.get("by")
    level = f"{100 * float(content.get('level', 0.95)):g} % interval"
    if kind == "all_of":
        return f"all of {', '.join(map(code, of or ()))}"
    if kind == "trend":
        where = f" along {code(content['along'])}" if content.get("along") else ""
        several = code(of) if isinstance(of, str) else " → ".join(map(code, of or ()))
        word = "rises" if content.get("direction") == "rising" else "falls"
        return f"{several}{where} {word} by more than {by:g} from first to last ({level})"
    over = content.get("over")
    against = code(over) if isinstance(over, str) else f"{over:g}"
    words = {
        "superiority": f"{code(of)} is higher than {against} by more than {by:g}",
        "non_inferiority": f"{code(of)} is at most {by:g} lower than {against}",
        "equivalence": f"{code(of)} and {against} differ by less than {by:g}",
    }
    return f"{words.get(str(kind), escape(kind))} ({level})"


def day(stamp: str) -> str:
    """Return the day of a time in the ledger."""
    return stamp[:10]


def minute(stamp: str) -> str:
    """Return a time in the ledger to the minute."""
    return stamp[:16].replace("T", " ")


def given_file(history: History) -> str:
    """Return the experiment file as it was given to the newest run that had one, folded away."""
    given = [detail.run for detail in history.runs if str(detail.run["spec_text"]).strip()]
    if not given:
        return ""
    run = given[-1]
    text = str(run["spec_text"]).rstrip("\n")
    fence = "```"
    while fence in text:
        fence += "`"
    summary = f"<summary>The experiment file as given to run {run['id']}</summary>"
    return f"<details>{summary}\n\n{fence}yaml\n{text}\n{fence}\n\n</details>"


def none_or(items: list[str], otherwise: str) -> str:
    """Return a list, or a sentence where it is empty."""
    return bullets(items) if items else otherwise
