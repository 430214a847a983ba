"""A loaded model: the transformers model with what sonde knows about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sonde.core.base import Config
from sonde.core.hooks import HookPoint, LayerSpec, Site
from sonde.data.examples import Example
from sonde.models.families import Family, family_of
from sonde.models.sites import check_hook_point, resolve_hook_points

if TYPE_CHECKING:
    from sonde.models.render import Rendered, RenderSettings


class ModelInfo(Config):
    """What identifies a model and how large it is. ``context`` is in tokens."""

    name: str
    revision: str
    family: str
    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_vocab: int
    context: int
    dtype: str
    n_parameters: int
    fingerprint: str


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A model, its tokenizer and its family's entry.

    ``refused`` holds the sites that failed the self-check, each with the reason.
    """

    info: ModelInfo
    hf: Any  # a transformers model with a language-model head
    tokenizer: Any
    family: Family
    refused: Mapping[Site, str] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the embeddings."""
        return self.hf.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the model computes in."""
        return self.hf.dtype

    @property
    def decoder(self) -> nn.Module:
        """The stack of blocks without the language-model head, also inside a wrapped model."""
        return self.hf.get_decoder()

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks, by layer."""
        return getattr(self.decoder, self.family.blocks)

    @property
    def rope_switch(self) -> int | None:
        """The length above which a whole batch is read with other rotary frequencies, if any.

        LongRoPE (phi3's long-context models) chooses them by the longest row of a batch.
        """
        rope = getattr(self.hf.config.get_text_config(), "rope_parameters", None) or {}
        if rope.get("rope_type") != "longrope":
            return None
        return rope["original_max_position_embeddings"]

    def module(self, layer: int, path: str) -> nn.Module:
        """Return a module of a block by its path inside the block; ``""`` is the block."""
        block = self.blocks[layer]
        return block.get_submodule(path) if path else block

    def hook_points(
        self,
        hooks: str | HookPoint | Sequence[str | HookPoint] = "resid_post",
        layers: LayerSpec = "all",
    ) -> tuple[HookPoint, ...]:
        """Resolve names of hook points, in the order of the forward pass, without repeats.

        A name is a site (taken at each of ``layers``), ``blocks.<layer>.<site>``, TransformerLens'
        name for either, or a Hugging Face module path such as ``model.layers.12.mlp``, which means
        what that module returns.

        Raises:
            SondeError: a name is unknown, a layer lies outside the model, or the model lacks the
                site.
        """
        return resolve_hook_points(self, hooks, layers)

    def check(self, hook: HookPoint) -> HookPoint:
        """Return the hook point if this model has it.

        Raises:
            SondeError: the layer lies outside the model, the family lacks the site, or the site
                failed the self-check.
        """
        return check_hook_point(self, hook)

    def render(self, example: Example, settings: "RenderSettings | None" = None) -> "Rendered":
        """Turn an example into token ids with their spans, by the chat template where one is due.

        Raises:
            SondeError: the example is empty or does not fit the context.
        """
        from sonde.models.render import RenderSettings, render

        chosen = settings if settings is not None else RenderSettings()
        return render(self.tokenizer, example, chosen, self.info.context)


def wrap(hf: Any, tokenizer: Any, *, name: str, revision: str, fingerprint: str) -> Model:
    """Build a ``Model`` around a transformers model: find its family and measure it.

    The model is put into evaluation mode, so that dropout is off.

    Raises:
        SondeError: the architecture is not supported.
    """
    family = family_of(hf.config)
    config = hf.config.get_text_config()
    n_heads = config.num_attention_heads
    info = ModelInfo(
        name=name,
        revision=revision,
        family=family.name,
        n_layers=config.num_hidden_layers,
        d_model=config.hidden_size,
        n_heads=n_heads,
        d_head=getattr(config, "head_dim", None) or config.hidden_size // n_heads,
        d_vocab=config.vocab_size,
        context=config.max_position_embeddings,
        dtype=str(hf.dtype).removeprefix("torch."),
        n_parameters=hf.num_parameters(),
        fingerprint=fingerprint,
    )
    return Model(info=info, hf=hf.eval(), tokenizer=tokenizer, family=family)
