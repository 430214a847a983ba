"""SAELens' settings of every age, as those of version 6."""

from typing import Any, Literal

from sonde.core.errors import SondeError

NORMALISING: dict[str, Literal["layer_norm", "constant_norm"]] = {
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "constant_norm",
}
UNSCALED = ("none", "expected_average_only_in", "covariance_whitening")
RENAMED = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}
IN_METADATA = ("model_name", "hook_name", "hook_name_out", "hook_head_index")


def settled(given: dict[str, Any], where: str) -> dict[str, Any]:
    """Bring settings of any version to the names and defaults of version 6.

    Raises:
        SondeError: an activation function or a normalisation is none of SAELens' own, or the
            dictionary reads one head of several.
    """
    found = {RENAMED.get(name, name): value for name, value in given.items()}
    if "sae_lens_version" not in _metadata(found):
        found = _of_old(found)
    transcodes = str(found.get("architecture")).endswith("transcoder")
    found.setdefault("apply_b_dec_to_input", not transcodes)
    found["normalize_activations"] = _normalisation(found.get("normalize_activations"))
    if found.get("architecture") != "topk":  # SAELens leaves it alone in every other class
        found.pop("rescale_acts_by_decoder_norm", None)
    metadata = _metadata(found)
    here = {name: found[name] for name in IN_METADATA if found.get(name) is not None}
    found["metadata"] = {**here, **{n: v for n, v in metadata.items() if v is not None}}
    _check(found, where)
    return found


def _metadata(found: dict[str, Any]) -> dict[str, Any]:
    given = found.get("metadata")
    return given if isinstance(given, dict) else {}


def _of_old(found: dict[str, Any]) -> dict[str, Any]:
    """Apply the defaults of before version 6, and its way of asking for TopK."""
    extra = found.get("activation_fn_kwargs") or {}
    made = {"architecture": "standard", "apply_b_dec_to_input": True, **found}
    if made.get("activation_fn") == "topk" and made["architecture"] == "standard":
        made |= {"architecture": "topk", "k": extra.get("k", made.get("k"))}
    if made["architecture"] == "topk" and "k" not in made and "k" in extra:
        made["k"] = extra["k"]
    return made


def _normalisation(given: Any) -> str:
    if isinstance(given, bool):  # version 3 and before
        return "expected_average_only_in" if given else "none"
    return "none" if given is None else str(given)


def _check(found: dict[str, Any], where: str) -> None:
    known = (*UNSCALED, *NORMALISING)
    if found["normalize_activations"] not in known:
        raise SondeError(
            f"{where}: normalize_activations is {found['normalize_activations']!r}; sonde knows "
            f"{', '.join(known)}."
        )
    if found.get("activation_fn", "relu") not in ("relu", "topk"):
        raise SondeError(
            f"{where}: the activation function is {found['activation_fn']!r}; sonde knows relu and "
            "topk."
        )
    if found["metadata"].get("hook_head_index") is not None:
        raise SondeError(
            f"{where} reads head {found['metadata']['hook_head_index']} alone.",
            fix="Dictionaries of all heads side by side are read; those of one are not.",
        )
