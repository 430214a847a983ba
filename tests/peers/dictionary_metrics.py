"""Ask other libraries how good a reconstruction is; needs no sonde.

    <python of a peer> dictionary_metrics.py saelens|dictionary-learning <pairs.safetensors>

The file holds tensors ``<case>.rows`` and ``<case>.made``. Writes the libraries' own figures of
every case to standard output as JSON.
"""

import json
import sys

from safetensors.torch import load_file


class Made:
    """What dictionary_learning's evaluation takes for a dictionary: reconstructions as given."""

    def __init__(self, made):
        self.made, self.dict_size, self.activation_dim = made, made.shape[1], made.shape[1]

    def __call__(self, rows, output_features=False):
        return self.made, rows


def saelens(rows, made):
    from sae_lens.evals import ExplainedVarianceCalculator

    calculator = ExplainedVarianceCalculator()
    for start in range(0, len(rows), 64):
        here = slice(start, start + 64)
        calculator.add_batch(sae_output=made[here], hidden_acts=rows[here])
    return {"explained_variance": calculator.compute()}


def dictionary_learning(rows, made):
    from dictionary_learning.evaluation import evaluate

    found = evaluate(Made(made), iter([rows]))
    wanted = ("frac_variance_explained", "cossim", "relative_reconstruction_bias")
    return {name: found[name] for name in wanted}


if __name__ == "__main__":
    ask = {"saelens": saelens, "dictionary-learning": dictionary_learning}[sys.argv[1]]
    pairs = load_file(sys.argv[2])
    cases = [name.removesuffix(".rows") for name in pairs if name.endswith(".rows")]
    found = {one: ask(pairs[f"{one}.rows"], pairs[f"{one}.made"]) for one in cases}
    sys.stdout.write(json.dumps(found) + "\n")
