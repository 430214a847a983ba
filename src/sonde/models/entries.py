"""The catalog: models by short names, with the numbers of their public configurations.

The configurations let work be planned, timed and refused without weights or network. They were
checked against the published number of parameters of each model. Phi's tables of long-context
rotary factors are left out, so its entries have the context that needs none (4,096 tokens).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from sonde.core.errors import nearest

CONFIGS = Path(__file__).with_name("configs")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model by name. ``config`` names the file that it shares with its variants.

    ``gated`` models are downloaded only after their terms were accepted on the hub.
    """

    name: str
    hub_id: str
    config: str
    n_parameters: int
    gated: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The configuration file."""
        return CONFIGS / f"{self.config}.json"


def _one_size(
    config: str, n_parameters: int, hub_ids: Mapping[str, str], *, gated: bool = False
) -> tuple[Entry, ...]:
    """Give the variants of one size, which share the configuration: name to hub id."""
    return tuple(Entry(name, hub, config, n_parameters, gated) for name, hub in hub_ids.items())


def _with_instruct(
    config: str, n_parameters: int, hub_id: str, *, suffix: str = "-Instruct", gated: bool = False
) -> tuple[Entry, ...]:
    hub_ids = {config: hub_id, config + suffix.lower(): hub_id + suffix}
    return _one_size(config, n_parameters, hub_ids, gated=gated)


_ENTRIES = (
    *_with_instruct("smollm2-135m", 134_515_008, "HuggingFaceTB/SmolLM2-135M"),
    *_with_instruct("smollm2-360m", 361_821_120, "HuggingFaceTB/SmolLM2-360M"),
    *_with_instruct("smollm2-1.7b", 1_711_376_384, "HuggingFaceTB/SmolLM2-1.7B"),
    *_with_instruct("gemma-2-2b", 2_614_341_888, "google/gemma-2-2b", suffix="-it", gated=True),
    *_with_instruct("gemma-2-9b", 9_241_705_984, "google/gemma-2-9b", suffix="-it", gated=True),
    *_with_instruct("gemma-2-27b", 27_227_128_320, "google/gemma-2-27b", suffix="-it", gated=True),
    *_with_instruct("gemma-3-270m", 268_098_176, "google/gemma-3-270m", suffix="-it", gated=True),
    *(
        entry
        for size, n_parameters in (
            ("1b", 999_885_952),
            ("4b", 4_300_079_472),
            ("12b", 12_187_325_040),
            ("27b", 27_432_406_640),
        )
        for entry in _one_size(
            f"gemma-3-{size}",
            n_parameters,
            {f"gemma-3-{size}-{kind}": f"google/gemma-3-{size}-{kind}" for kind in ("pt", "it")},
            gated=True,
        )
    ),
    *(
        entry
        for size, n_parameters in (("70m", 70_426_624), ("160m", 162_322_944))
        for entry in _one_size(
            f"pythia-{size}",
            n_parameters,
            {
                f"pythia-{size}{kind}": f"EleutherAI/pythia-{size}{kind}"
                for kind in ("", "-deduped")
            },
        )
    ),
    Entry("gpt2", "openai-community/gpt2", "gpt2", 124_439_808, aliases=("gpt2-small",)),
    *_with_instruct("llama-3.1-8b", 8_030_261_248, "meta-llama/Llama-3.1-8B", gated=True),
    *_with_instruct("llama-3.2-1b", 1_235_814_400, "meta-llama/Llama-3.2-1B", gated=True),
    *_with_instruct("qwen2.5-0.5b", 494_032_768, "Qwen/Qwen2.5-0.5B"),
    *_with_instruct("qwen2.5-1.5b", 1_543_714_304, "Qwen/Qwen2.5-1.5B"),
    Entry("qwen2.5-7b-instruct", "Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b", 7_615_616_512),
    Entry("qwen3-0.6b", "Qwen/Qwen3-0.6B", "qwen3-0.6b", 596_049_920),
    Entry("qwen3-4b", "Qwen/Qwen3-4B", "qwen3-4b", 4_022_468_096),
    Entry("qwen3-8b", "Qwen/Qwen3-8B", "qwen3-8b", 8_190_735_360),
    Entry("mistral-7b-v0.3", "mistralai/Mistral-7B-v0.3", "mistral-7b-v0.3", 7_248_023_552),
    Entry("phi-3.5-mini", "microsoft/Phi-3.5-mini-instruct", "phi-3.5-mini", 3_821_079_552),
    Entry("phi-4-mini", "microsoft/Phi-4-mini-instruct", "phi-4-mini", 3_836_021_760),
    Entry("olmo-2-1b", "allenai/OLMo-2-0425-1B", "olmo-2-1b", 1_484_916_736),
    Entry("olmo-2-7b", "allenai/OLMo-2-1124-7B", "olmo-2-7b", 7_298_617_344),
    Entry("mixtral-8x7b", "mistralai/Mixtral-8x7B-v0.1", "mixtral-8x7b", 46_702_792_704),
)
# What people write for a model whose full name says more.
_ALIASES = {
    "gemma-3-1b": "gemma-3-1b-pt",
    "gemma-3-4b": "gemma-3-4b-pt",
    "gemma-3-12b": "gemma-3-12b-pt",
    "gemma-3-27b": "gemma-3-27b-pt",
    "phi-3.5-mini-instruct": "phi-3.5-mini",
    "phi-4-mini-instruct": "phi-4-mini",
}


@cache
def catalog() -> Mapping[str, Entry]:
    """Return every entry by its name."""
    return MappingProxyType({entry.name: entry for entry in _ENTRIES})


@cache
def _known() -> Mapping[str, Entry]:
    """Return every entry under its name, its aliases and its hub id, all in lower case."""
    entries = catalog()
    known = {_key(entry.hub_id): entry for entry in _ENTRIES}
    known |= {alias: entry for entry in _ENTRIES for alias in entry.aliases}
    known |= {alias: entries[name] for alias, name in _ALIASES.items()}
    return MappingProxyType(known | dict(entries))


def find(name: str) -> Entry | None:
    """Return the entry with this name, alias or hub id, upper and lower case alike."""
    return _known().get(_key(name))


def nearest_entry(name: str) -> str:
    """Return a hint that names the closest catalog entry, or ``""``."""
    return nearest(_key(name), _known())


def _key(name: str) -> str:
    return name.lower()
