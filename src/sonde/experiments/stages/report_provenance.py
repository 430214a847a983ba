"""How what a page shows was made: the model, the seed, versions, the machine, the command."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sonde.core.quantities import bytes_in_words
from sonde.experiments.hardware import describe_machine, package_versions
from sonde.experiments.stage import Context, Finished
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.report_dictionaries import dictionary_origin
from sonde.report import Provenance, Section

if TYPE_CHECKING:
    from sonde.activations.origin import Origin
    from sonde.steering.results import SteeringResults


def provenance_of(
    context: Context, there: Mapping[str, Finished], probes: Sequence[str]
) -> list[Section]:
    """Say how the first probe's activations were made; without a probe, what was steered or read.

    Other models than that are named with their stage.
    """
    models = _models(there)
    if probes:
        probe = there[probes[0]].stage
        assert isinstance(probe, ProbeStage)
        main = _of_origin(there[probe.activations].open().origin)
    elif models:
        main = dict(next(iter(models.values())))
    else:
        return []
    seed = main.pop("seed", context.seed)
    others = {
        name: one
        for name, one in models.items()
        if (one["model"], one["fingerprint"]) != (main["model"], main["fingerprint"])
    }
    return [
        Provenance(
            **main,
            seed=seed,
            versions=tuple(package_versions().items()),
            more=(
                *((f"Model of {name}", _named(one)) for name, one in others.items()),
                *((f"Stage {name}", finished.key) for name, finished in there.items()),
                ("Page written on", _machine()),
            ),
            command=f"sonde run {context.experiment['file']}",
        )
    ]


def _models(there: Mapping[str, Finished]) -> dict[str, dict[str, Any]]:
    """Return the model behind each search, then behind vectors and so on, by stage."""
    found: dict[str, dict[str, Any]] = {}
    for gives in ("steering", "vectors", "massive", "dictionaries"):
        for name, finished in there.items():
            if finished.stage.gives == gives == "dictionaries":
                found[name] = _of_origin(dictionary_origin(finished))
            elif finished.stage.gives == gives:
                opened = finished.open()
                if gives == "steering":
                    found[name] = _of_search(opened)
                else:
                    first = opened[0] if gives == "vectors" else opened
                    found[name] = _of_origin(first.origin)
    return found


def _of_search(found: "SteeringResults") -> dict[str, Any]:
    model = found.model
    return {
        "model": str(model["name"]),
        "revision": str(model.get("revision", "")),
        "fingerprint": str(model.get("fingerprint", "")),
        "dtype": str(model.get("dtype", "")),
        "template": str(found.settings.template),
        "position": ", ".join(dict.fromkeys(one.position for one in found.vectors)),
        "seed": found.settings.seed,
    }


def _of_origin(origin: "Origin") -> dict[str, Any]:
    return {
        "model": origin.model,
        "revision": origin.revision,
        "fingerprint": origin.model_fingerprint,
        "dtype": origin.dtype,
        "template": origin.template,
        "data": origin.data_fingerprint,
        "position": ", ".join(origin.positions),
    }


def _named(one: Mapping[str, Any]) -> str:
    words = (one["model"], one["revision"], one["fingerprint"], one["dtype"])
    return ", ".join(word for word in words if word)


def _machine() -> str:
    """Describe this machine in a line; earlier stages may have run on another (see the ledger)."""
    machine = describe_machine()
    cuda = f" (CUDA {machine['cuda']})" if machine["cuda"] else ""
    return ", ".join(
        [
            *([f"{' + '.join(machine['gpus'])}{cuda}"] if machine["gpus"] else []),
            machine["cpu"],
            f"{machine['cores']} cores, {machine['threads']} used",
            bytes_in_words(machine["memory"]),
            machine["system"],
        ]
    )
