"""What the Hugging Face hub refuses, in words that say what the user can do about it."""

from collections.abc import Generator
from contextlib import contextmanager

from sonde.core.errors import SondeError


@contextmanager
def refusals_named(
    said: str, revision: str | None, *, kind: str, page: str, alike: str = ""
) -> Generator[None]:
    """Turn refusals of a repository into errors: it is gated, or it or a revision is not there.

    ``said`` is what the user called it, ``kind`` what it is (``model``, ``data set``), ``page`` its
    name on the hub, ``alike`` a word on what else may have been meant.

    Raises:
        SondeError: the hub refused.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise SondeError(
            f"{said} is gated: its owners ask for consent to their terms first.",
            fix=f"Accept them on the page of {page} on the hub, then run `hf auth login` (or set "
            "HF_TOKEN) with a token of that account.",
        ) from error
    except RevisionNotFoundError as error:
        raise SondeError(
            f"{said} has no revision {revision!r}.",
            fix=f"Give a branch, a tag or a commit hash of the {kind}, or leave revision out.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise SondeError(
            f"There is no {kind} {page!r} on the hub, or it is private.{alike}",
            fix="Check the spelling; for a private one, run `hf auth login` first.",
        ) from error
