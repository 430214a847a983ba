"""What cannot be trained by several processes yet."""

from sonde.core.errors import SondeError
from sonde.dictionaries.parallel.share import Share
from sonde.dictionaries.training.settings import Muon, Training


def check_sharing(training: Training, share: Share) -> None:
    """Refuse a recipe that several processes would follow otherwise than one does.

    Raises:
        SondeError: Muon, which would make the update of each shard orthogonal by itself; a
            compiled loss; or resampling, whose rows lie in several processes.
    """
    if share.latents.world > 1 and isinstance(training.optimiser, Muon):
        raise SondeError(
            f"Muon needs whole matrices, and {share.latents.world} processes share the latents.",
            fix="Take Adam (optimiser: {kind: adam}), or share the rows alone (shards=1).",
        )
    if share.everyone.world > 1 and training.compile:
        raise SondeError(
            f"A loss cannot be compiled for {share.everyone.world} processes together.",
            fix="Leave compile away.",
        )
    if share.everyone.world > 1 and training.resampling is not None:
        raise SondeError(
            f"Dead latents cannot be resampled by {share.everyone.world} processes together.",
            fix="Leave resampling away; the auxiliary loss (aux) revives dead latents as well.",
        )
