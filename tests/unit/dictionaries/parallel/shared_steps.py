"""One training step of every kind of dictionary, alone or on a share, with all that it makes."""

import itertools

import torch

from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, BatchTopK, Dictionary, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.block import Spare
from sonde.dictionaries.parallel import (
    WHOLE,
    WithLoss,
    data_parallel,
    norm_of_gradients,
    shared,
    whole,
)
from sonde.dictionaries.training.losses import Wanted, loss_of
from sonde.dictionaries.training.optimisers import clip_gradients
from sonde.dictionaries.training.settings import AuxK, Training
from sonde.dictionaries.training.start import Start
from sonde.dictionaries.training.trainee import Trainee

ROWS, LATENTS = 12, 24
SPARSITIES = {
    "relu": ReLU(),
    "topk": TopK(k=3),
    "topk signed by norm": TopK(k=14, relu=False, by_norm=True),  # more than a shard of two has
    "batch topk": BatchTopK(k=3),
    "batch topk by norm": BatchTopK(k=2, by_norm=True),
    "jumprelu": JumpReLU(threshold=0.3, bandwidth=0.5),
    "gated": Gated(),
}
SHAPES = {
    "SAE": {"layers": (2,)},
    "skip transcoder": {"layers": (2,), "targets": (2,), "skip": True},
    "skip cross-layer": {"layers": (2, 3), "targets": (2, 3), "skip": True, "cross_layer": True},
}
GROUPS = {"flat": (), "Matryoshka": (1, 7, 16)}
DEAD = (0, 3, 4, 6, 10, 11)  # with two shards four on the first and two on the other
COURSES = [
    ("SAE", "topk"),
    ("skip transcoder", "batch topk"),
    ("skip cross-layer", "jumprelu"),
]
CASES = list(itertools.product(SHAPES, SPARSITIES, GROUPS))


def architecture(shape, sparsity, groups):
    given = dict(SHAPES[shape])
    layers, targets = given.pop("layers"), given.pop("targets", ())
    return Architecture(
        sources=tuple(f"blocks.{layer}.resid_mid" for layer in layers),
        targets=tuple(f"blocks.{layer}.mlp_out" for layer in targets),
        d_in=tuple(4 + number for number in range(len(layers))),
        d_out=tuple(5 + number for number in range(len(targets))),
        d_sae=LATENTS,
        sparsity=SPARSITIES[sparsity],
        groups=GROUPS[groups],
        **given,
    )


def dictionary_and_rows(made):
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    found = Dictionary(made).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(drawn(*parameter.shape))
        if isinstance(made.sparsity, JumpReLU):
            for block in found.parts:
                block.threshold.abs_()
    sources = [drawn(ROWS, width) for width in made.d_in]
    targets = sources if made.is_autoencoder else [drawn(ROWS, width) for width in made.widths_out]
    return found, sources, targets


def wanted(made, share):
    """A loss with all its parts; dead latents by their numbers here."""
    world, rank = share.latents.world, share.latents.rank
    among = torch.tensor([one // world for one in DEAD if one % world == rank], dtype=torch.long)
    by_count = isinstance(made.sparsity, TopK | BatchTopK)
    return Wanted(
        variance=(3.0, 5.0)[: len(made.outputs)],
        penalty=None if by_count else torch.tensor(0.1),
        spare=tuple(Spare(4, among) for _ in made.reaches) if by_count else (),
        aux=0.5,
    )


def step(share, shape, sparsity, groups, most=0.5):
    """Take one step from random weights, and return what it made by name."""
    made = architecture(shape, sparsity, groups)
    alone, sources, targets = dictionary_and_rows(made)
    one = shared(alone, share) if share is not WHOLE else alone
    module = data_parallel(WithLoss(one, loss_of))
    mine = [[share.own_rows(x) for x in some] for some in (sources, targets)]
    optimiser = torch.optim.Adam(one.parameters(), lr=0.01)
    loss = module(*mine, wanted(made, share))
    loss.total.backward()
    slopes = {f"slope {name}": p.grad.clone() for name, p in one.named_parameters()}
    norm = clip_gradients(one.parameters(), most, norm_of_gradients(one))
    optimiser.step()
    found = {
        "norm": norm,
        "clipped": torch.stack([p.grad.abs().max() for p in one.parameters()]).max(),
        **{f"part {name}": value.detach() for name, value in loss.parts.items()},
        **{f"latents {n}": own.dense().detach() for n, own in enumerate(loss.made.latents)},
        **{f"made {n}": own.detach() for n, own in enumerate(loss.made.prefixes)},
        **{f"spare {n}": own.dense().detach() for n, own in enumerate(_spares(one, mine, made))},
        **slopes,
        **{f"weight {name}": value.clone() for name, value in one.state_dict().items()},
    }
    together_again = whole(one)
    if together_again is not None:
        state = together_again.state_dict()
        found |= {f"whole {name}": value for name, value in state.items()}
    one.eval()
    with torch.no_grad():
        found["evaluated"] = one(*mine[0]).targets[0]
    return found


def _spares(one, mine, made):
    """What was chosen beside the active latents, after the step."""
    if not isinstance(made.sparsity, TopK | BatchTopK):
        return []
    asked = wanted(made, one.share).spare
    parts = zip(one.parts, one.read(mine[0]), asked, strict=True)
    return [block.encode_for_training(x, own).spare for block, x, own in parts]


def tied_scores(seed):
    """Scores of few values, so that many are equal; zeros and negative ones among them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, 4, (ROWS, LATENTS), generator=generator).float()


def tied_choices(share, seed):
    """Which latents each picker takes of equal scores, as masks of what is here."""
    score = share.own_latents(share.own_rows(tied_scores(seed)).T).T.contiguous()
    n = score.shape[1]
    among = torch.arange(seed % 3, n, 2)
    if seed == 7 and share.latents.rank:
        among = among[:0]  # one shard has none of them
    pickers = {
        "top": share.top_of_rows(5, True, score[0]),
        "signed": share.top_of_rows(20, False, score[0]),
        "among": share.top_among(4, among),
        "batch": share.top_of_batch(1 + seed % 4, len(score)),
        "none": share.top_of_rows(3, True, score[0]),
    }
    found = {}
    for name, picker in pickers.items():
        for part in (score - 9 if name == "none" else score).split(4):
            picker.add(part, part)
        places = picker.chosen().places
        found[name] = places.dense(torch.ones(len(places.latent)))
    found["offered"] = torch.zeros_like(score).index_fill(1, among, 1.0)
    return found


def course(share, shape, sparsity, steps=4):
    """Train for some steps as a ``Trainee``, and return losses and what every process has then.

    Latents count as dead after 20 rows, so that the second step has an auxiliary loss.
    """
    made = architecture(shape, sparsity, "Matryoshka")
    _, sources, targets = dictionary_and_rows(made)
    hooks = [parse_hook_point(hook) for hook in (*made.sources, *made.outputs)]
    rows = dict(zip(hooks, [x.float() for x in (*sources, *targets)], strict=True))
    start = Start(
        dict.fromkeys(hooks, 2.0),
        dict.fromkeys(hooks, 4.0),
        {hook: x.mean(dim=0) for hook, x in rows.items()},
    )
    training = Training(lr=0.01, aux=AuxK(k=3, weight=1 / 32), dead_after=20, clip=0.1)
    trainee = Trainee.fresh(made, training, start, steps, share=share)
    losses = [
        trainee.step(*trainee.rows_of(start.scaled(rows)), number).total.detach()
        for number in range(steps)
    ]
    found = trainee.gathered()
    state = found.state_dict() if found is not None else {}
    return {"losses": torch.stack(losses), "dead": torch.tensor(trainee.living.n_dead), **state}
