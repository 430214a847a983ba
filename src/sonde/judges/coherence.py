"""Coherence by rules: whether an answer repeats itself, and whether it is made of words.

They see form only, in the ways that steering breaks it: loops, broken characters, words run
together or in mixed scripts, text without the small words that hold sentences together. Fluent
nonsense passes; perplexity under the unedited model, which steering measures beside this, sees
more.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.judges.common_words import ENGLISH
from sonde.judges.judge import HIGHEST, Asked, Opinion, nothing_to_judge

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힯]+")  # scripts whose words are not told apart by spaces
_RUN = re.compile(r"(.)\1{5,}", re.DOTALL)  # one character six times or more, such as "!!!!!!!!"
LONGEST_WORD = 24
MIXED = "mixed"
_BROKEN = frozenset({"Cc", "Cn", "Co", "Cs"})  # control, unassigned, private, half a pair
_LAYOUT = frozenset("\n\r\t")


class CoherenceRuleSettings(Config):
    """Where each share turns from incoherent (0 points) to coherent (all of them).

    ``distinct``: of the word trigrams, those that are different ones. ``well_formed``: of the
    words, those of a usual shape in the script that most are in. ``clean``: of the characters,
    those that are neither broken nor in a run of one character. ``common``: of the words, the few
    hundred most common ones of English; None for other languages. Shorter answers than
    ``enough_to_repeat`` and ``enough_for_common`` words are not asked for these two.
    """

    distinct: tuple[float, float] = (0.3, 0.8)
    well_formed: tuple[float, float] = (0.6, 0.95)
    clean: tuple[float, float] = (0.6, 0.95)
    common: tuple[float, float] | None = (0.05, 0.25)
    enough_to_repeat: Annotated[int, Field(ge=4)] = 6
    enough_for_common: Annotated[int, Field(ge=1)] = 12

    @field_validator("distinct", "well_formed", "clean", "common")
    @classmethod
    def _in_order(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and not 0 <= bounds[0] < bounds[1] <= 1:
            raise ValueError("write two shares from 0 to 1, the lower one first")
        return bounds


@dataclass(frozen=True, slots=True)
class Form:
    """Shares in [0, 1] that describe an answer's form; None where it is too short to say."""

    distinct: float | None
    well_formed: float | None
    clean: float
    common: float | None


@dataclass(frozen=True, slots=True)
class CoherenceRules:
    """Judges coherence by form: 100 times the product of what each share in ``Form`` leaves.

    A share at or above its upper bound leaves all, at or below its lower one nothing, linear
    between.
    """

    settings: CoherenceRuleSettings = field(default_factory=CoherenceRuleSettings)
    name: str = "coherence rules"

    @property
    def aspect(self) -> Literal["coherence"]:
        """These rules score coherence."""
        return "coherence"

    def key(self) -> Mapping[str, Any]:
        """Return the settings."""
        return {"kind": "coherence rules", "settings": self.settings.model_dump(mode="json")}

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Score each answer; an empty one gets 0."""
        return [nothing_to_judge(one) or Opinion(self._score(one.answer)) for one in asked]

    def _score(self, answer: str) -> float:
        chosen = self.settings
        form = form_of(answer, chosen)
        left = 1.0
        for share, bounds in (
            (form.distinct, chosen.distinct),
            (form.well_formed, chosen.well_formed),
            (form.clean, chosen.clean),
            (form.common, chosen.common),
        ):
            if share is not None and bounds is not None:
                low, high = bounds
                left *= min(1.0, max(0.0, (share - low) / (high - low)))
        return HIGHEST * left


def form_of(answer: str, settings: CoherenceRuleSettings | None = None) -> Form:
    """Describe the form of an answer that is not empty; see ``CoherenceRuleSettings``."""
    chosen = settings or CoherenceRuleSettings()
    words = words_of(answer)
    lower = [word.lower().replace("’", "'") for word in words]
    trigrams = list(zip(lower, lower[1:], lower[2:], strict=False))
    in_runs = sum(len(run[0]) for run in _RUN.finditer(answer) if not run[1].isspace())
    broken = sum(map(_is_broken, answer))
    n = len(words)
    return Form(
        distinct=len(set(trigrams)) / len(trigrams) if n >= chosen.enough_to_repeat else None,
        well_formed=_well_formed(words),
        clean=max(0.0, 1 - (in_runs + broken) / len(answer)),
        common=sum(word in ENGLISH for word in lower) / n
        if n >= chosen.enough_for_common
        else None,
    )


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text; scripts without spaces give single characters."""
    return [
        word
        for found in _WORD.findall(text)
        for word in (found if _UNSPACED.fullmatch(found) else (found,))
    ]


def _well_formed(words: Sequence[str]) -> float | None:
    """Return the share of words of a usual shape in the script that most are in."""
    scripts = [_script(word) for word in words if not word.isdigit()]
    if not scripts:
        return None
    (main, _), *_ = Counter(scripts).most_common(1)
    shaped = sum(
        _script(word) == main != MIXED and has_usual_shape(word)
        for word in words
        if not word.isdigit()
    )
    return shaped / len(scripts)


def has_usual_shape(word: str) -> bool:
    """Say whether a word is not overly long and has at most one capital inside, or only capitals.

    So names of two parts, such as McCoy or YouTube, pass.
    """
    inside = sum(one.isupper() for one in word[1:])
    return len(word) <= LONGEST_WORD and (inside <= 1 or word.isupper())


def _script(word: str) -> str:
    """Return the one script of a word's letters, as Unicode names it, or that they are mixed."""
    if _UNSPACED.fullmatch(word):
        return "CJK"
    found = {unicodedata.name(one, "UNKNOWN").split()[0] for one in word if one.isalpha()}
    return found.pop() if len(found) == 1 else MIXED


def _is_broken(one: str) -> bool:
    return one == "\ufffd" or (unicodedata.category(one) in _BROKEN and one not in _LAYOUT)
