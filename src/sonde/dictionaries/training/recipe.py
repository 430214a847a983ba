"""Whether a recipe suits the dictionaries that it is to train: known before anything is read."""

from collections.abc import Mapping

from sonde.core.errors import SondeError
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.sparsity import BatchTopK, TopK
from sonde.dictionaries.training.settings import Training

MOST_COMPILED = 8  # torch keeps so many versions of one function, and runs others uncompiled
# Choices that act on one kind of sparsity alone.
OF_COUNTED = ("aux", "k_start")
OF_PENALISED = ("penalty_warmup",)


def check_recipe(
    training: Training, dictionaries: Mapping[str, DictionarySettings | Architecture]
) -> None:
    """Refuse choices that no dictionary would follow, or that one cannot.

    Raises:
        SondeError: ``aux`` or ``k_start`` without TopK or BatchTopK, ``penalty_warmup`` without
            another sparsity, a ``k_start`` above the latents, ``compile`` with TopK or BatchTopK
            or for more than eight dictionaries.
    """
    counted = {n: one for n, one in dictionaries.items() if _is_counted(one)}
    asked = {name for name in training.model_fields_set if getattr(training, name)}
    if not counted:
        _none_follows(asked.intersection(OF_COUNTED), "topk and batch_topk")
    if len(counted) == len(dictionaries):
        _none_follows(asked.intersection(OF_PENALISED), "relu, jumprelu and gated")
    for name, one in counted.items():
        if training.k_start is not None and one.d_sae and training.k_start > one.d_sae:
            raise SondeError(
                f"k_start is {training.k_start:,}, and {name} has {one.d_sae:,} latents.",
                fix=f"Set k_start: {one.d_sae} at most.",
            )
    if training.compile and counted:
        raise SondeError(
            f"compile: true is for relu, jumprelu and gated latents; {', '.join(counted)} has "
            "others.",
            fix="Leave compile away: the products of the TopK family are kernels of their own.",
        )
    if training.compile and len(dictionaries) > MOST_COMPILED:
        raise SondeError(
            f"compile: true is for {MOST_COMPILED} dictionaries at most, and here are "
            f"{len(dictionaries)}.",
            fix="Train them in several stages, or leave compile away.",
        )


def _is_counted(one: DictionarySettings | Architecture) -> bool:
    return isinstance(one.sparsity, TopK | BatchTopK)


def _none_follows(asked: set[str], kinds: str) -> None:
    for name in sorted(asked):
        raise SondeError(
            f"training.{name} is for {kinds}, and no dictionary here is one of them.",
            fix=f"Leave {name} away, or choose another sparsity.",
        )
