"""The families of models that sonde knows: where each site lies in a block, one entry a family.

An entry names modules inside a block and says what they mean to the residual stream; ``place``
turns that into a module and its side for every site. Entries were read off the modelling files of
transformers 5 and are checked on each model by ``sonde.models.self_check``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import FORWARD_ORDER, Site


class Side(StrEnum):
    """Which end of a module holds the activations."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Place:
    """A module inside a block (``""`` is the block itself) and one of its sides."""

    module: str
    side: Side


@dataclass(frozen=True, slots=True)
class Family:
    """What a block of one family of models is made of.

    ``mlp_norm`` is the norm before the MLP, None where the MLP takes the residual as it is.
    ``neutral_gain`` is the weight with which that norm multiplies by one: 1, or 0 where the family
    stores gain - 1. The post-norms come after attention and after the MLP, before the sum with
    the residual. ``parallel`` blocks feed attention and MLP from the same residual. ``tiny`` is a
    small random configuration for tests and for ``random:<family>``.
    """

    name: str
    model_type: str  # of the text configuration
    blocks: str = "layers"
    attn: str = "self_attn"
    attn_projection: str = "self_attn.o_proj"
    mlp: str = "mlp"
    mlp_norm: str | None = "post_attention_layernorm"
    attn_post_norm: str | None = None
    mlp_post_norm: str | None = None
    neutral_gain: float = 1.0
    parallel: bool = False
    tiny: Mapping[str, Any] = field(default_factory=dict)

    def place(self, site: Site) -> Place:
        """Return where a site lies.

        Raises:
            SondeError: the family has no such site.
        """
        reason = self.lacks(site)
        if reason is not None:
            raise SondeError(
                f"{self.name} has no {site}: {reason}",
                fix=f"Its sites are {', '.join(self.sites)}.",
            )
        return {
            Site.RESID_PRE: Place("", Side.INPUT),
            Site.RESID_MID: Place(self.mlp_norm or self.mlp, Side.INPUT),
            Site.RESID_POST: Place("", Side.OUTPUT),
            Site.ATTN_OUT: Place(self.attn_post_norm or self.attn, Side.OUTPUT),
            Site.MLP_OUT: Place(self.mlp_post_norm or self.mlp, Side.OUTPUT),
            Site.MLP_NORMED: Place(self.mlp, Side.INPUT),
            Site.MLP_NORMED_UNGAINED: Place(self.mlp_norm or self.mlp, Side.OUTPUT),
            Site.MLP_MODULE_OUT: Place(self.mlp, Side.OUTPUT),
            Site.HEAD_OUT: Place(self.attn_projection, Side.INPUT),
        }[site]

    def lacks(self, site: Site) -> str | None:
        """Say why the family has no such site; None where it has it."""
        if site is Site.RESID_MID and self.parallel:
            return "its blocks feed attention and MLP in parallel, so nothing lies between them."
        if site is Site.MLP_NORMED_UNGAINED and self.mlp_norm is None:
            return "its MLP takes the residual as it is, without a norm (read resid_mid)."
        return None

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites that the family has, in the order of the forward pass."""
        return tuple(site for site in FORWARD_ORDER if self.lacks(site) is None)


# num_key_value_heads and head_dim differ from what a careless reshape would assume, and windows
# are shorter than the test prompts, so that a wrong reading of any of them shows.
_TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 384,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
_GEMMA: dict[str, Any] = _TINY | {"head_dim": 12, "hidden_activation": "gelu_pytorch_tanh"}
_WINDOWED: dict[str, Any] = {
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
_NEOX: dict[str, Any] = {key: value for key, value in _TINY.items() if key != "num_key_value_heads"}
_GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_inner": 48,
    "n_positions": 512,
    **{key: _TINY[key] for key in ("vocab_size", "initializer_range")},
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id")),
}

_POST_NORMS: dict[str, Any] = {
    "attn_post_norm": "post_attention_layernorm",
    "mlp_post_norm": "post_feedforward_layernorm",
}
_GPT_NEOX: dict[str, Any] = {
    "model_type": "gpt_neox",
    "attn": "attention",
    "attn_projection": "attention.dense",
}

_ENTRIES: tuple[Family, ...] = (
    Family("llama", "llama", tiny=_TINY),
    Family("mistral", "mistral", tiny=_TINY | {"head_dim": 12, "sliding_window": 8}),
    Family("qwen2", "qwen2", tiny=_TINY),
    Family("qwen3", "qwen3", tiny=_TINY | {"head_dim": 12}),
    Family("gemma", "gemma", neutral_gain=0.0, tiny=_GEMMA),
    Family(
        "gemma2",
        "gemma2",
        mlp_norm="pre_feedforward_layernorm",
        neutral_gain=0.0,
        tiny=_GEMMA | _WINDOWED | {"query_pre_attn_scalar": 12},
        **_POST_NORMS,
    ),
    Family(
        "gemma3",
        "gemma3_text",
        mlp_norm="pre_feedforward_layernorm",
        neutral_gain=0.0,
        tiny=_GEMMA | _WINDOWED | {"query_pre_attn_scalar": 12},
        **_POST_NORMS,
    ),
    Family(
        "gpt2",
        "gpt2",
        blocks="h",
        attn="attn",
        attn_projection="attn.c_proj",
        mlp_norm="ln_2",
        tiny=_GPT2,
    ),
    Family("gpt_neox", parallel=True, tiny=_NEOX | {"use_parallel_residual": True}, **_GPT_NEOX),
    Family("gpt_neox_sequential", tiny=_NEOX | {"use_parallel_residual": False}, **_GPT_NEOX),
    Family("phi3", "phi3", tiny=_TINY | {"sliding_window": 8}),
    Family("olmo2", "olmo2", mlp_norm=None, tiny=_TINY, **_POST_NORMS),
    Family("mixtral", "mixtral", tiny=_TINY | {"num_local_experts": 4, "sliding_window": 8}),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def family_of(config: Any) -> Family:
    """Return the family of a transformers configuration, a wrapped text model's included.

    Raises:
        SondeError: the architecture is not supported.
    """
    text = config.get_text_config()
    for family in FAMILIES.values():
        parallel = getattr(text, "use_parallel_residual", False)
        if family.model_type == text.model_type and family.parallel == parallel:
            return family
    raise SondeError(
        f"Models of type {text.model_type!r} are not supported."
        f"{nearest(text.model_type, FAMILIES)}",
        fix=f"Supported families are {', '.join(FAMILIES)}.",
    )
