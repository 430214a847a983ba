"""dictionary_learning's classes: which tensors each has, and what it computes with them."""

from collections.abc import Callable
from dataclasses import dataclass

from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, Sparsity, TopK

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OneClass:
    """Names of tensors. ``linear``: matrices lie as torch's linear layers have them.

    ``centred``: the decoder's bias is taken off what is encoded.
    """

    sparsity: Callable[[], Sparsity]
    centred: bool
    out_bias: str
    linear: bool = True
    bias: str = "encoder.bias"
    nested: bool = False

    @property
    def encoder(self) -> str:
        """The encoder's matrix."""
        return "encoder.weight" if self.linear else "W_enc"

    @property
    def decoder(self) -> str:
        """The decoder's matrix."""
        return "decoder.weight" if self.linear else "W_dec"

    def shapes(self, d: int, d_sae: int, groups: int) -> tuple[dict[str, Shape], dict[str, Shape]]:
        """Return the tensors that must be there, and those that may."""
        wide: tuple[Shape, Shape] = ((d_sae, d), (d, d_sae))
        needed: dict[str, Shape] = {
            self.encoder: wide[0] if self.linear else wide[1],
            self.decoder: wide[1] if self.linear else wide[0],
            self.bias: (d_sae,),
            self.out_bias: (d,),
        }
        sparsity = self.sparsity()
        if isinstance(sparsity, Gated):
            needed |= {"gate_bias": (d_sae,), "r_mag": (d_sae,)}
        if isinstance(sparsity, JumpReLU):
            needed |= {"threshold": (d_sae,)}
        if isinstance(sparsity, BatchTopK):
            needed |= {"threshold": ()}
        if self.nested:
            needed |= {"group_sizes": (groups,)}
        one_number: dict[str, Shape] = {"k": (), "threshold": ()}
        return needed, one_number if isinstance(sparsity, TopK | BatchTopK) else {}


CLASSES: dict[str, OneClass] = {
    "AutoEncoder": OneClass(ReLU, centred=True, out_bias="bias"),
    "AutoEncoderNew": OneClass(ReLU, centred=False, out_bias="decoder.bias"),
    "GatedAutoEncoder": OneClass(Gated, centred=True, out_bias="decoder_bias", bias="mag_bias"),
    "AutoEncoderTopK": OneClass(TopK, centred=True, out_bias="b_dec"),
    "BatchTopKSAE": OneClass(BatchTopK, centred=True, out_bias="b_dec"),
    "MatryoshkaBatchTopKSAE": OneClass(
        BatchTopK, centred=True, out_bias="b_dec", linear=False, bias="b_enc", nested=True
    ),
    "JumpReluAutoEncoder": OneClass(
        JumpReLU, centred=False, out_bias="b_dec", linear=False, bias="b_enc"
    ),
}


def by_class(sparsity: Sparsity, *, centred: bool, nested: bool) -> str:
    """Return the class that computes a sparsity; of two, the one that is centred alike."""
    fits = [
        name
        for name, kind in CLASSES.items()
        if isinstance(sparsity, type(kind.sparsity())) and kind.nested == nested
    ]
    alike = [name for name in fits if CLASSES[name].centred == centred]
    return (alike or fits)[0]
