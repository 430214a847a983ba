"""Settings: unknown keys are refused, with the nearest one; values read back."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError, nearest


class Ridge(Config):
    kind: Literal["ridge"] = "ridge"
    penalty: float = 1.0


class Read(Config):
    kind: Literal["read"] = "read"
    path: str


class Nested(Config):
    layers: list[int] = Field(default_factory=list)


class Whole(Config):
    name: str
    nested: Nested = Field(default_factory=Nested)
    stages: dict[str, Annotated[Ridge | Read, Field(discriminator="kind")]] = Field(
        default_factory=dict
    )


def refusal(given) -> str:
    with pytest.raises(SondeError) as caught:
        validated(Whole, given, where="demo.yaml")
    return str(caught.value)


def test_valid_settings_read_back_from_their_own_json():
    whole = validated(
        Whole,
        {"name": "x", "nested": {"layers": [1, 2]}, "stages": {"fit": {"kind": "ridge"}}},
        where="demo.yaml",
    )
    assert Whole.model_validate_json(whole.model_dump_json()) == whole
    assert isinstance(whole.stages["fit"], Ridge)


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Nested().layers = [1]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nam": "x", "name": "x"}, "nam is not a key here. Did you mean 'name'?"),
        ({"name": "x", "nested": {"layer": [1]}}, "layer is not a key here. Did you mean 'layers'"),
        ({"name": "x", "zzz": 1}, "zzz is not a key here. Keys are name, nested, stages."),
        ({}, "name is missing."),
        (
            {"name": "x", "nested": {"layers": ["a"]}},
            "nested.layers.0 is 'a', which is no whole number",
        ),
        ({"name": 3}, "name is 3, which is no text: write it in quotes, '3'."),
    ],
)
def test_mistakes_are_named_with_their_place(given, message):
    text = refusal(given)
    assert text.startswith("demo.yaml is not valid: ")
    assert message in text


def test_the_nearest_key_comes_from_the_kind_that_was_chosen():
    text = refusal({"name": "x", "stages": {"fit": {"kind": "ridge", "penalti": 2}}})
    assert "Did you mean 'penalty'?" in text
    text = refusal({"name": "x", "stages": {"fit": {"kind": "ridge", "zzz": 2}}})
    assert "Keys are kind, penalty." in text  # not path, which the other kind has


def test_all_mistakes_are_named_at_once():
    text = refusal({"nmae": "x"})
    assert "name is missing" in text
    assert "nmae is not a key" in text


def test_an_error_says_what_and_how_to_mend_it():
    error = SondeError("It is wrong.", fix="Mend it.")
    assert str(error) == "It is wrong. Mend it."
    assert (error.what, error.fix) == ("It is wrong.", "Mend it.")
    assert str(SondeError("It is wrong.")) == "It is wrong."


def test_nearest_names_what_is_close_and_nothing_else():
    assert nearest("resid_pots", ["mlp_out", "resid_post"]) == " Did you mean 'resid_post'?"
    assert nearest("zebra", ["mlp_out", "resid_post"]) == ""
