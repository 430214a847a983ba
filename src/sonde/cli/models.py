"""``sonde models``."""

from sonde.cli.console import say, table
from sonde.core.files import read_json
from sonde.models.embedded import NAME
from sonde.models.entries import catalog


def list_models() -> None:
    """Print the catalog."""
    rows: list[tuple[str, ...]] = []
    for entry in catalog().values():
        config = read_json(entry.path)
        text = config.get("text_config", config)
        layers = text.get("num_hidden_layers") or text.get("n_layer")
        width = text.get("hidden_size") or text.get("n_embd")
        note = "embedded: needs no hub" if entry.name == NAME else "gated" if entry.gated else ""
        count = f"{entry.n_parameters / 1e6:,.0f} M"
        rows.append((entry.name, entry.hub_id, note, count, str(layers), str(width)))
    table(("name", "on the hub", "", "weights", "layers", "d_model"), rows, numbers=3)
    say(
        "\nAlso: any hub id, a local folder, a .gguf file, and random:<name>, the same "
        "architecture with random weights."
    )
