"""The numbers 0 to 100 as a prefix tree of tokens, and the expected number a model would write.

Many tokenizers split numbers, some digit by digit, so that the first token says 5 for 5, 50 and 57
alike. Walking the tree gives each number its own probability.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from sonde.judges.scales import Expected
from sonde.models.chat import Layout
from sonde.models.tokenise import knowledge_of, tokenise

HIGHEST_NUMBER = 100
NEGLIGIBLE = 1e-4  # a node that is reached with less is not looked into
DIGITS = frozenset("0123456789")

# The log-probabilities of what follows: of the rows' prompts, each with a path of tokens behind it.
After = Callable[[Sequence[int], Sequence[tuple[int, ...]]], Float[Tensor, "n d_vocab"]]


@dataclass(frozen=True, slots=True)
class NumberTree:
    """Prefixes of the numbers' tokens, which number each spells, and the tokens that go on.

    A number stands with or without a space before it, as some models write one. ``continuing`` are
    all tokens of the vocabulary that would make a number longer.
    """

    spelt: Mapping[tuple[int, ...], int]
    children: Mapping[tuple[int, ...], tuple[int, ...]]
    continuing: tuple[int, ...]


def number_tree(tokenizer: Any) -> NumberTree:
    """Make the tree of a tokenizer.

    Raises:
        SondeError: the tokenizer cannot say which characters a token stands for.
    """
    forms = [f"{space}{n}" for n in range(HIGHEST_NUMBER + 1) for space in ("", " ")]
    layouts = [Layout("", form, None, None, ()) for form in forms]
    pieces = tokenise(tokenizer, layouts, knowledge_of(tokenizer))
    spelt: dict[tuple[int, ...], int] = {}
    children: dict[tuple[int, ...], set[int]] = {}
    for form, (ids, _) in zip(forms, pieces, strict=True):
        path = tuple(ids.tolist())
        spelt[path] = int(form)
        for depth, token in enumerate(path):
            children.setdefault(path[:depth], set()).add(token)
    names: list[str] = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    continuing = (number for number, name in enumerate(names) if name and name[0] in DIGITS)
    return NumberTree(
        spelt,
        {path: tuple(sorted(tokens)) for path, tokens in children.items()},
        tuple(continuing),
    )


def expected_numbers(tree: NumberTree, n_prompts: int, after: After) -> list[Expected]:
    """Return, for each prompt, sum p(n) n / sum p(n) over the numbers 0 to 100, and sum p(n).

    p(n) is the product of its tokens' probabilities and that of its end: one minus the probability
    of all tokens that would make it longer, where the tree goes on; where it does not (57, 100), or
    where the number is reached with less than 1e-4, the number ends.
    """
    totals = [[0.0, 0.0] for _ in range(n_prompts)]  # of p(n) n and of p(n)
    reached: list[tuple[int, tuple[int, ...], float]] = [(row, (), 1.0) for row in range(n_prompts)]
    while reached:
        rows, paths, _ = zip(*reached, strict=True)
        logarithms = after(rows, paths)
        longer = logarithms[:, list(tree.continuing)].exp().sum(dim=1).tolist()
        following: list[tuple[int, tuple[int, ...], float]] = []
        for at, (row, path, probability) in enumerate(reached):
            if path in tree.spelt:
                _add(totals[row], tree.spelt[path], probability * max(0.0, 1 - longer[at]))
            tokens = tree.children[path]
            chances = logarithms[at, list(tokens)].exp().tolist()
            for token, chance in zip(tokens, chances, strict=True):
                child = (*path, token)
                if child in tree.children and probability * chance >= NEGLIGIBLE:
                    following.append((row, child, probability * chance))
                elif child in tree.spelt:
                    _add(totals[row], tree.spelt[child], probability * chance)
        reached = following
    return [
        Expected(min(100.0, of_numbers / mass), min(1.0, mass)) if mass > 0 else Expected(None, 0.0)
        for of_numbers, mass in totals
    ]


def _add(total: list[float], number: int, probability: float) -> None:
    total[0] += number * probability
    total[1] += probability
