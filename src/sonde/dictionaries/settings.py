"""A dictionary as it is asked for: an architecture whose widths the model knows."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.architecture import Architecture, Width
from sonde.dictionaries.sparsity import Sparsity, TopK

WIDE = 1 << 12  # a width, where none is known yet


class DictionarySettings(Config):
    """The choices of ``Architecture``, without its widths.

    ``d_sae`` is the number of latents, or ``expansion`` times the width of what is read.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    targets: tuple[str, ...] = ()
    d_sae: Width | None = None
    expansion: Annotated[float, Field(gt=0)] | None = None
    sparsity: Sparsity = TopK()
    groups: tuple[Width, ...] = ()
    skip: bool = False
    cross_layer: bool = False
    centred: bool | None = None

    @model_validator(mode="after")
    def _latents(self) -> "DictionarySettings":
        given = sum(one is not None for one in (self.d_sae, self.expansion))
        if given > 1 or (not given and not self.groups):
            raise ValueError("give `d_sae`, the number of latents, or `expansion`, or `groups`")
        return self

    @model_validator(mode="after")
    def _goes_together(self) -> "DictionarySettings":
        """Refuse at once what no widths can mend; ``expansion`` waits for them."""
        for names in (self.sources, self.targets):
            if len(set(names)) < len(names):
                raise ValueError(f"a hook point is named twice: {', '.join(names)}")
        if self.expansion is None:
            stand_in, widths = self._anywhere(WIDE)
            try:
                Architecture.model_validate(stand_in._choices(widths))
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def written(self) -> tuple[str, ...]:
        """The targets, the sources where none are named."""
        return self.targets or self.sources

    def foreseen(self, width: int) -> Architecture:
        """Return the architecture with every hook point ``width`` wide, whatever it is called.

        Raises:
            SondeError: choices do not go together.
        """
        stand_in, widths = self._anywhere(width)
        return stand_in.architecture(widths)

    def _anywhere(self, width: int) -> "tuple[DictionarySettings, dict[HookPoint, int]]":
        """Return the same at places made up, as names may be such that only a model can tell."""
        names = dict.fromkeys((*self.sources, *self.targets))
        places = {name: f"blocks.{number}.resid_pre" for number, name in enumerate(names)}
        stand_in = self.model_copy(
            update={
                "sources": tuple(places[name] for name in self.sources),
                "targets": tuple(places[name] for name in self.targets),
            }
        )
        return stand_in, {parse_hook_point(one): width for one in places.values()}

    def architecture(
        self, widths: Mapping[HookPoint, int], where: str = "The dictionary"
    ) -> Architecture:
        """Return the architecture for hook points of these widths; ``where`` is for errors.

        Raises:
            SondeError: there are no activations at a hook point, or choices do not go together.
        """
        return validated(Architecture, self._choices(widths), where=where)

    def _choices(self, widths: Mapping[HookPoint, int]) -> dict[str, Any]:
        d_in = [_width(hook, widths) for hook in self.sources]
        given = self.model_dump(exclude={"expansion", "d_sae"})
        d_sae = self.d_sae or sum(self.groups)
        if self.expansion is not None:
            d_sae = round(self.expansion * (d_in[0] if self.cross_layer else sum(d_in)))
        return given | {
            "d_in": d_in,
            "d_out": [_width(hook, widths) for hook in self.targets],
            "d_sae": d_sae,
        }


def check_widths(made: Architecture, widths: Mapping[HookPoint, int]) -> None:
    """Refuse an architecture that reads or writes where there are no rows of its width.

    Raises:
        SondeError: there are no activations at a hook point, or they are of another width.
    """
    hooks, wanted = (*made.sources, *made.outputs), (*made.d_in, *made.widths_out)
    for hook, width in zip(hooks, wanted, strict=True):
        there = _width(hook, widths)
        if there != width:
            raise SondeError(
                f"Rows of {hook} are {there} wide, and the dictionary's are {width}.",
                fix="Give the rows that it is made for, or an architecture for these.",
            )


def _width(hook: str, widths: Mapping[HookPoint, int]) -> int:
    point = parse_hook_point(hook)
    if point not in widths:
        raise SondeError(
            f"There are no activations at {point}.",
            fix=f"There are some at {', '.join(map(str, widths))}.",
        )
    return widths[point]
