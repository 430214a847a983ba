"""Text coloured token by token by a probe, with a slider through the layers."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from sonde.core.errors import SondeError
from sonde.report import svg
from sonde.report.colours import STEPS, bin_of
from sonde.report.sections.token_view_data import hundredths, quality_bars, script_data
from sonde.report.visible import visible
from sonde.report.wording import counted, figure

SNIPPET = 60


@dataclass(frozen=True, slots=True)
class TokenText:
    """One text: its tokens and the probe's scores, ``[layer][token]``; None where there is none.

    ``positive`` is the true class, ``label`` its name. ``read_at`` is the token that the probe was
    fitted on. ``outcome`` is the score of the whole text, an entry a layer, best from the fold that
    left the text out; without it the score at ``read_at`` stands. ``template`` lists the tokens
    that the chat template added. ``shades``, ``[layer][token]`` from -1 to 1, are what the colours
    show where the scores themselves would all lie at one end. ``truth`` is what each token was to
    be read as, True above the threshold; None where it is not known.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    scores: tuple[tuple[float | None, ...], ...]
    label: str = ""
    positive: bool | None = None
    read_at: int | None = None
    outcome: tuple[float | None, ...] = ()
    template: tuple[int, ...] = ()
    name: str = ""
    shades: tuple[tuple[float | None, ...], ...] = ()
    truth: tuple[bool | None, ...] = ()

    def outcome_at(self, layer: int) -> float | None:
        """Return the score of the whole text at the ``layer``-th layer shown."""
        if self.outcome:
            return self.outcome[layer]
        return None if self.read_at is None else self.scores[layer][self.read_at]


@dataclass(frozen=True, slots=True)
class TokenView:
    """Texts under one probe a layer. Scores run from ``low`` over ``threshold`` to ``high``.

    ``classes`` names what lies below and above the threshold; ``quality`` is the probe's score by
    layer, drawn above the slider; ``start`` is the layer shown first. ``shade`` says what the
    colours show where texts have shades, ``truth_says`` what is true of a token whose truth is
    True, ``left_out`` what there was no room for. Where the view is ``one_sided`` the colours
    begin at ``low``, not at the threshold, so that of rare tokens only the finds stand out.
    """

    layers: tuple[int, ...]
    texts: tuple[TokenText, ...]
    classes: tuple[str, str] = ("below", "above")
    start: int | None = None
    threshold: float = 0.5
    low: float = 0.0
    high: float = 1.0
    score: str = "probability"
    quality: tuple[float | None, ...] = ()
    metric: str = "AUROC"
    note: str = ""
    shade: str = ""
    truth_says: str = ""
    left_out: str = ""
    one_sided: bool = False
    title: str = "Token by token"
    kind: ClassVar[str] = "token_view"

    def __post_init__(self) -> None:
        if not self.layers or not self.texts:
            raise SondeError("A token view needs at least one layer and one text.")
        if not self.low < self.threshold < self.high:
            raise SondeError(
                f"The threshold {self.threshold} is not between {self.low} and {self.high}."
            )
        if self.start is not None and self.start not in self.layers:
            raise SondeError(f"Layer {self.start} is not among {self.layers}.")
        for number, text in enumerate(self.texts):
            _check(number, text, len(self.layers))

    @property
    def start_at(self) -> int:
        """The index of the layer shown first."""
        return self.layers.index(self.start) if self.start is not None else len(self.layers) - 1

    @property
    def digits(self) -> int:
        """Decimals kept: three where scores span one, fewer where they span more."""
        return max(0, 3 - math.ceil(math.log10(self.high - self.low)))

    def kept(self, score: float | None) -> float | None:
        """Return a score as the page keeps it: rounded, so that both sides colour alike."""
        if score is None or not math.isfinite(score):
            return None
        return round(score * 10**self.digits) / 10**self.digits


def _check(number: int, text: TokenText, layers: int) -> None:
    wanted = len(text.tokens)
    shape = {len(row) for row in text.scores}
    if len(text.ids) != wanted or len(text.scores) != layers or shape - {wanted}:
        raise SondeError(
            f"Text {number} has {wanted} tokens, {len(text.ids)} ids and scores of "
            f"{len(text.scores)} layers with {sorted(shape)} tokens.",
            fix=f"Scores are [layer][token]: {layers} layers of {wanted} tokens.",
        )
    if text.shades and (len(text.shades), {len(row) for row in text.shades}) != (layers, {wanted}):
        raise SondeError(f"The shades of text {number} do not have the shape of its scores.")
    if text.truth and len(text.truth) != wanted:
        raise SondeError(f"Text {number} has {len(text.truth)} truths for {wanted} tokens.")
    if text.outcome and len(text.outcome) != layers:
        raise SondeError(f"Text {number} has {len(text.outcome)} outcomes for {layers} layers.")
    if text.read_at is not None and not 0 <= text.read_at < wanted:
        raise SondeError(f"Text {number} is read at token {text.read_at} of {wanted}.")


def prepare(section: TokenView) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "texts": [_text(section, number, text) for number, text in enumerate(section.texts)],
        "layer": section.layers[section.start_at],
        "at": section.start_at,
        "last": len(section.layers) - 1,
        "quality": quality_bars(section),
        "legend": range(0 if section.one_sided else -STEPS, STEPS + 1),
        "ends": [figure(value) for value in (section.low, section.threshold, section.high)],
        "template": any(text.template for text in section.texts),
        "truth": any(known(text) for text in section.texts),
        "step": 10**-section.digits,
        "reads": any(text.read_at is not None for text in section.texts),
        "data": script_data(section),
    }


def known(text: TokenText) -> bool:
    """Say whether the truth of any token is known."""
    return any(one is not None for one in text.truth)


def _text(section: TokenView, number: int, text: TokenText) -> dict[str, Any]:
    steps = _steps(section, text)
    template = set(text.template)
    tokens = [
        svg.node(
            "span",
            *_pieces(token, at in template),
            class_=_style(text, at, steps[at], at in template),
        )
        for at, token in enumerate(text.tokens)
    ]
    own = "".join(token for at, token in enumerate(text.tokens) if at not in template)
    snippet = " ".join((own or "".join(text.tokens)).split())
    return {
        "number": number + 1,
        "name": text.name,
        "label": text.label,
        "side": "" if text.positive is None else ("low", "high")[text.positive],
        "tokens": Markup().join(tokens),
        "snippet": snippet[:SNIPPET] + ("…" if len(snippet) > SNIPPET else ""),
        "reading": reading(section, text, section.start_at),
    }


def _pieces(token: str, template: bool) -> list[str | Markup]:
    pieces: list[str | Markup] = []
    for piece in visible(token):
        # A line may break after every mark, so a long run of spaces wraps as words do.
        pieces += [svg.node("i", piece.text), Markup("<wbr>")] if piece.mark else [piece.text]
        pieces += [Markup("<br>")] * (piece.breaks and not template)
    return pieces


def _steps(section: TokenView, text: TokenText) -> list[tuple[int | None, bool]]:
    """Return the colour's step of each token, and whether it lies above the middle."""
    at = section.start_at
    if text.shades:
        whole = [hundredths(value) for value in text.shades[at]]
        shades = [None if value is None else value / 100 for value in whole]
        return [(bin_of(one, -1, 0, 1), one is not None and one >= 0) for one in shades]
    scores = [section.kept(score) for score in text.scores[at]]
    low, high = section.low, section.high
    middle = low if section.one_sided else section.threshold
    return [
        (bin_of(one, low, middle, high), one is not None and one >= section.threshold)
        for one in scores
    ]


def _style(text: TokenText, at: int, step: tuple[int | None, bool], template: bool) -> str:
    shown, above = step
    words = ["t", "bx" if shown is None else f"b{shown}"]
    words += ["up"] * above + ["tpl"] * template + ["read"] * (at == text.read_at)
    return " ".join(words)


def reading(section: TokenView, text: TokenText, layer: int) -> dict[str, str]:
    """Return how the whole text is read at a layer: the class, its score, right or wrong."""
    score = section.kept(text.outcome_at(layer))
    if score is None:
        said = found_in(section, text, layer) if known(text) else ""
        return {"said": said, "mark": "", "verdict": ""}
    above = score >= section.threshold
    verdict = "" if text.positive is None else "right" if above == text.positive else "wrong"
    return {
        "said": f"read as {section.classes[above]}, {figure(score, section.digits)}",
        "mark": {"right": "✓", "wrong": "✗", "": ""}[verdict],
        "verdict": verdict,
    }


def found_in(section: TokenView, text: TokenText, layer: int) -> str:
    """Count a text's tokens that were found and false alarms: ``3 of 4 found, 2 false alarms``."""
    pairs = [
        (true, score >= section.threshold)
        for true, one in zip(text.truth, text.scores[layer], strict=True)
        if true is not None and (score := section.kept(one)) is not None
    ]
    found = sum(true and said for true, said in pairs)
    alarms = sum(said and not true for true, said in pairs)
    there = sum(true for true, _ in pairs)
    return f"{found} of {there} found, {counted(alarms, 'false alarm')}"
