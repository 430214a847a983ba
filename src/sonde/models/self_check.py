"""The self-check: a model's hook points are what they are called, shown on the model itself."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import Field

import sonde
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, read_json, write_json
from sonde.core.folders import cache_folder
from sonde.core.hooks import FORWARD_ORDER, Site
from sonde.models.check_edits import check_edits
from sonde.models.check_reading import (
    check_early_exit,
    check_gain,
    check_heads,
    check_hidden_states,
    check_mlp,
    check_padding,
    check_sums,
)
from sonde.models.check_text import check_bos, check_sinks
from sonde.models.evidence import Evidence, Finding, gather_evidence
from sonde.models.model import Model

# Raise it when a check changes, so that results in the cache are made again.
VERSION = 1


class Check(Config):
    """One thing that was checked.

    ``sites`` are those that are refused if it failed; ``numbers`` what was measured, an ``error``
    with the ``tolerance`` it is held to where there is one.
    """

    name: str
    passed: bool
    detail: str
    sites: tuple[Site, ...] = ()
    numbers: dict[str, float | None] = Field(default_factory=dict)


class SelfCheck(Config):
    """What the self-check of one model found."""

    model: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether everything passed."""
        return all(check.passed for check in self.checks)

    @property
    def refused(self) -> dict[Site, str]:
        """The sites that failed, each with the first reason."""
        found: dict[Site, str] = {}
        for check in self.checks:
            for site in () if check.passed else check.sites:
                found.setdefault(site, f"{check.name}: {check.detail}")
        return found


def self_check(model: Model, *, fresh: bool = False) -> SelfCheck:
    """Check a model's hook points, or return what an earlier check of the same model found.

    What is found is kept in the cache folder under the model's weights, dtype and device and the
    versions of torch, transformers and sonde; ``fresh`` checks again. A model without a
    fingerprint is checked each time. A check that raises has failed.

    The sums must hold coordinate by coordinate within a few roundings of their terms. Two ways of
    computing the same thing must agree, token by token, to half of the dtype's digits:
    ``|a - b| <= sqrt(eps) |b|``, which is 3e-4 in float32 and 9e-2 in bfloat16. Wrong conventions
    miss by far more.
    """
    path = _cache_file(model)
    known = None if fresh or path is None else _read(path)
    if known is not None:
        return known
    found = SelfCheck(
        model=model.info.name,
        checks=tuple(
            Check(
                name=item.name,
                passed=item.passed,
                detail=item.detail,
                sites=tuple(item.sites),
                numbers=dict(item.numbers),
            )
            for item in _findings(replace(model, refused={}))
        ),
    )
    if path is not None:
        write_json(path, found.model_dump(mode="json"))
    return found


# Each check with the sites to refuse where it cannot even be carried out.
_CHECKS: tuple[tuple[Callable[[Evidence], Iterator[Finding]], tuple[Site, ...]], ...] = (
    (check_bos, ()),
    (check_sinks, ()),
    (check_sums, (Site.ATTN_OUT, Site.RESID_MID, Site.MLP_OUT)),
    (check_hidden_states, (Site.RESID_PRE, Site.RESID_POST)),
    (check_padding, FORWARD_ORDER),
    (check_early_exit, FORWARD_ORDER),
    (check_heads, (Site.HEAD_OUT, Site.ATTN_OUT)),
    (check_mlp, (Site.MLP_NORMED, Site.MLP_MODULE_OUT, Site.MLP_OUT)),
    (check_gain, (Site.MLP_NORMED_UNGAINED,)),
    (check_edits, FORWARD_ORDER),
)


def _findings(model: Model) -> Iterator[Finding]:
    try:
        evidence = gather_evidence(model)
    except torch.OutOfMemoryError:
        raise  # says nothing about the model
    except Exception as error:
        yield Finding("the model can be read", False, _said(error), FORWARD_ORDER)
        return
    for check, sites in _CHECKS:
        try:
            yield from check(evidence)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            name = (check.__doc__ or check.__name__).splitlines()[0].rstrip(".")
            yield Finding(name, False, _said(error), sites)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, SondeError) else f"{type(error).__name__}: {error}"


def _cache_file(model: Model) -> Path | None:
    if not model.info.fingerprint:
        return None
    from transformers import __version__ as transformers_version

    device = model.device
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    key = {
        "weights": model.info.fingerprint,
        "dtype": model.info.dtype,
        "device": f"{device.type} {gpu}".strip(),
        "torch": torch.__version__,
        "transformers": transformers_version,
        "sonde": sonde.__version__,
        "check": VERSION,
    }
    return cache_folder() / "self-check" / f"{fingerprint(key)}.json"


def _read(path: Path) -> SelfCheck | None:
    """Return what the cache holds; what cannot be read is made again."""
    try:
        return validated(SelfCheck, read_json(path), where=str(path))
    except SondeError:
        return None


def checked(model: Model) -> Model:
    """Return the model with the sites that fail its self-check refused."""
    return replace(model, refused=self_check(model).refused)
