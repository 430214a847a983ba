"""Baselines: what can be said of the labels without the model, on the probe's own folds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int

from sonde.core.errors import SondeError
from sonde.probes.bag_of_tokens import BagOfTokens, word_counts
from sonde.probes.kinds import KINDS
from sonde.probes.length import length_features
from sonde.probes.lines import Scoring
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.multinomial_solver import multinomial_solver
from sonde.probes.names import BAG, CURRENT, LENGTH
from sonde.probes.nested import nested
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.scored import Scored, intervals
from sonde.probes.settings import AnyProbeSettings, Says
from sonde.probes.solver import Predictor, Prepare
from sonde.probes.targets import Targets
from sonde.probes.token_lookup import TokenLookup
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
NO_TEXTS = "no texts were given"


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """The score of a model that never saw the activations."""

    score: Interval
    scored: Scored


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One row an example: its text (None where no texts are known), its length, its label.

    ``tokens`` counts up to the last token that was read. In a token task a row is a token, and
    ``token_ids`` says which.
    """

    texts: Sequence[str] | None
    tokens: Int[np.ndarray, " row"]
    truth: Float[np.ndarray, "row target"]
    folds: Int[np.ndarray, " row"]
    says: Says
    n_classes: int
    own: Prepare  # the solver of the kind that is fitted
    token_ids: Int[np.ndarray, " row"] | None = None


def bag_of_tokens(examples: Examples) -> Predictor | str:
    """Return the bag-of-tokens model, or why there is none."""
    if examples.texts is None:
        return NO_TEXTS
    if examples.says == "utility":
        counts = word_counts(examples.texts)
        return _probe_of(examples, counts) if counts.shape[1] else "no word is in two texts"
    return BagOfTokens(
        examples.texts, examples.truth, examples.folds, examples.says, examples.n_classes
    )


def length(examples: Examples) -> Predictor | str:
    """Return the linear probe of what is fitted, on lengths alone, or why there is none."""
    features = length_features(examples.texts, examples.tokens)
    if not features.shape[1]:
        return NO_TEXTS if examples.texts is None else "all texts have the same length"
    return _probe_of(examples, features)


def _probe_of(examples: Examples, features: Float[np.ndarray, "row feature"]) -> Predictor:
    prepare: Mapping[str, Prepare] = {
        "number": ridge_solver,
        "logits": partial(multinomial_solver, n_classes=examples.n_classes),
        "utility": examples.own,
    }
    folds = torch.from_numpy(examples.folds)
    problem = Problem(
        torch.from_numpy(features)[None],
        torch.from_numpy(examples.truth)[:, None],
        folds,
        torch.arange(len(folds)),
    )
    return prepare.get(examples.says, logistic_solver)(problem)


def current_token(examples: Examples) -> Predictor | str:
    """Return the look-up of the current token, or why there is none."""
    if examples.truth.shape[1] > 1 or examples.says == "logits":
        return "a token is looked up for one number or two classes"
    assert examples.token_ids is not None
    truth, classes = examples.truth[:, 0], examples.says != "number"
    return TokenLookup(examples.token_ids, truth, examples.folds, classes)


Models: TypeAlias = Mapping[str, Callable[[Examples], Predictor | str]]
MODELS: Models = {BAG: bag_of_tokens, LENGTH: length}
TOKEN_MODELS: Models = {CURRENT: current_token}  # of a token task


def baselines(
    targets: Targets, folds: Int[np.ndarray, " row"], settings: AnyProbeSettings
) -> tuple[dict[str, Baseline], dict[str, str]]:
    """Score every baseline of the table; return them, and why the others are not there.

    Logistic regression where there are classes, ridge for numbers, Bradley-Terry for comparisons,
    with the penalty chosen inside the training folds like the probe's; in a token task the look-up
    of the current token.
    """
    models = MODELS if targets.token_ids is None else TOKEN_MODELS
    if not settings.baseline:
        return {}, dict.fromkeys(models, "switched off by baseline: false")
    if targets.token_ids is None and _vary(targets):
        return {}, dict.fromkeys(models, "labels vary within a text")
    names, first, number = np.unique(targets.example, return_index=True, return_inverse=True)
    if targets.token_ids is not None:
        first = number = np.arange(len(targets.token))
    tokens = np.zeros(len(first), np.int64)
    np.maximum.at(tokens, number.reshape(-1), targets.token + 1)
    texts = [targets.texts[name] for name in names.tolist()] if targets.texts else None
    examples = Examples(
        texts,
        tokens,
        targets.values[first],
        folds[first],
        settings.says,
        len(targets.classes),
        KINDS[settings.kind].prepare(settings, targets, first),
        targets.token_ids,
    )
    found: dict[str, Baseline] = {}
    missing: dict[str, str] = {}
    for name, make in models.items():
        made = make(examples)
        try:
            if not isinstance(made, str):
                found[name] = _scored(made, targets, first, folds, settings)
                continue
        except SondeError as error:  # the probe itself stands without it
            made = f"it could not be fitted: {error.what.rstrip('.')}"
        missing[name] = made
    return found, missing


def _vary(targets: Targets) -> bool:
    """Whether the rows of one example have different labels."""
    _, first, number = np.unique(targets.example, return_index=True, return_inverse=True)
    return bool((targets.values != targets.values[first][number.reshape(-1)]).any())


def _scored(
    predictor: Predictor,
    targets: Targets,
    first: Int[np.ndarray, " example"],
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
) -> Baseline:
    metric = METRICS[settings.metric]
    lines = KINDS[settings.kind].lines(settings, targets, first, folds)
    scoring = Scoring.of(lines, folds[first], targets.values[first][:, None])
    found = nested(predictor, scoring, PENALTIES, metric)
    rows, fold = first[lines.rows], scoring.fold
    scored = Scored(
        example=targets.example[rows],
        token=np.full(len(rows), -1, np.int32)
        if targets.token_ids is None
        else targets.token[rows],
        unit=targets.unit[rows],
        other=None if lines.other is None else targets.unit[first[lines.other]],
        fold=fold,
        truth=scoring.truth[:, 0],
        predicted=found.out_of_fold[0, :, 0],
        scale=found.scale[0, fold, 0],
    )
    return Baseline(intervals([scored], metric, settings.bootstrap)[0], scored)
