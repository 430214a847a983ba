"""What dictionaries are worth with their model: reconstruction, losses, and what they are fed."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.evals.diagnosis import Diagnosis, diagnose
    from sonde.evals.reconstruction import Evaluated, comparisons, evaluate, rows_to_fit
    from sonde.evals.reconstruction_loss import Losses
    from sonde.evals.texts import EvalTexts, corpus_part, given_texts, held_out_part

__all__ = [
    "Diagnosis",
    "EvalTexts",
    "Evaluated",
    "Losses",
    "comparisons",
    "corpus_part",
    "diagnose",
    "evaluate",
    "given_texts",
    "held_out_part",
    "rows_to_fit",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Diagnosis": "diagnosis",
        "diagnose": "diagnosis",
        "Evaluated": "reconstruction",
        "comparisons": "reconstruction",
        "evaluate": "reconstruction",
        "rows_to_fit": "reconstruction",
        "Losses": "reconstruction_loss",
        "EvalTexts": "texts",
        "corpus_part": "texts",
        "given_texts": "texts",
        "held_out_part": "texts",
    },
)
