"""How many layers are fitted together, and what of them is held in memory."""

ROWS = 1 << 28  # bytes of activations in float64; layers beyond that wait their turn
MOMENTS = 1 << 29  # bytes of the folds' scatters, of which a layer has one for each fold


def scatter_bytes(rows: int, width: int, folds: int) -> int:
    """Return what the scatters ``[d_model, d_model]`` of a layer's folds take, in bytes.

    Where rows are fewer than coordinates there are none: kernels of rows are formed and forgotten.
    """
    return folds * width**2 * 8 if rows > width else 0


def layers_at_once(rows: int, width: int, folds: int) -> int:
    """Return how many layers are held together; one always is, whatever it takes."""
    by_rows = ROWS // max(1, rows * width * 8)
    by_moments = MOMENTS // max(1, scatter_bytes(rows, width, folds))
    return max(1, min(by_rows, by_moments))
