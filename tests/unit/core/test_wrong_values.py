"""Mistakes of every kind that pydantic names, in words that say how to mend them."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.wrong_values import NAME


class Inner(Config):
    kind: Literal["a"] = "a"


class Other(Config):
    kind: Literal["b"]


class All(Config):
    by: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    over: float = Field(default=1.0, gt=0.5)
    level: float = Field(default=0.95, lt=1)
    share: float = Field(default=1.0, le=1)
    size: float = Field(default=1.0, le=1000)
    count: int = 1
    flag: bool = True
    name: str = Field(default="x", pattern=NAME, max_length=4)
    said: str = Field(default="x", min_length=1, pattern="^x")
    mode: Literal["exploratory", "confirmatory"] = "exploratory"
    several: tuple[int, ...] = Field(default=(1,), min_length=1, max_length=2)
    listed: list[int] = Field(default_factory=list)
    mapped: dict[str, int] = Field(default_factory=dict)
    inner: Inner = Inner()
    tagged: Annotated[Inner | Other, Field(discriminator="kind")] = Inner()


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("by", -1, "by is -1, which is too low: write 0 or more."),
        ("by", float("nan"), "by is nan, which is not finite: write a number."),
        ("by", "few", "by is 'few', which is no number: write one, such as 0.5."),
        ("over", 0.5, "over is 0.5, which is too low: write more than 0.5."),
        ("level", 95, "level is 95, which is too high: write less than 1, 0.95 for 95 %."),
        ("level", 100, "level is 100, which is too high: write less than 1."),
        ("level", 950, "level is 950, which is too high: write less than 1."),
        ("share", 50, "share is 50, which is too high: write 1 or less, 0.5 for 50 %."),
        ("size", 1001, "size is 1001, which is too high: write 1000 or less."),
        ("count", 1.5, "count is 1.5, which is no whole number: write one, such as 3."),
        ("flag", "perhaps", "flag is 'perhaps', which is neither true nor false: write one of"),
        ("name", "a b", "name is 'a b', which is no name: write letters, digits, - and _, with"),
        ("name", "abcde", "name is 'abcde', which is too long: write 4 or fewer characters."),
        ("name", 3, "name is 3, which is no text: write it in quotes, '3'."),
        ("name", [3], "name is [3], which is no text: write one."),
        ("said", "", "said is '', which is too short: write 1 or more characters."),
        ("said", "y", "said is 'y', which does not fit: write what matches ^x."),
        ("mode", "no", "which is none of the choices: write 'exploratory' or 'confirmatory'."),
        ("mode", "confirmed", "or 'confirmatory'. Did you mean 'confirmatory'?"),
        ("several", [], "several is [], which has 0 entries: give 1 or more."),
        ("several", [1, 2, 3], "which has 3 entries: give 2 or fewer."),
        ("listed", 3, "listed is 3, which is no list: write its entries in brackets, [a, b]."),
        ("mapped", 3, "mapped is 3, which is no mapping: write keys with their values, {key: v"),
        ("inner", 3, "inner is 3, which is no mapping: write keys with their values, {key: v"),
        ("tagged", {}, "tagged is {}, which has no kind: write `kind:` with what it is."),
        ("name", ["x" * 99], f"name is ['{'x' * 58}…, which is no text: write one."),
    ],
)
def test_a_mistake_says_what_was_given_and_how_to_mend_it(name, given: Any, said):
    with pytest.raises(SondeError) as caught:
        validated(All, {name: given}, where="x.yaml")
    assert said in caught.value.what
    assert "Input" not in caught.value.what
