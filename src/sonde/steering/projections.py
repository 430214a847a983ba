"""What monitoring found: one number for each token and vector."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.stats.effects import Effect, difference
from sonde.stats.scores import Scores
from sonde.vectors.vector import Vector

KEY = b"sonde"
Part = Literal["prompt", "generated"]


class Monitored(Config):
    """A vector that tokens were projected on; ``typical_norm`` is None where it is not known."""

    name: str
    hook: str
    typical_norm: float | None

    @staticmethod
    def of(vector: Vector) -> "Monitored":
        """Describe a vector."""
        return Monitored(name=vector.name, hook=str(vector.hook), typical_norm=vector.typical_norm)


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """Projections of every token; rows follow one another text by text.

    ``values`` are x . direction in the activations' own unit. ``text`` is the number of each row's
    text among ``texts``, ``token`` its place in it, ``piece`` the token as written; ``generated``
    tells the answer's tokens from the prompt's.
    """

    vectors: tuple[Monitored, ...]
    texts: tuple[str, ...]
    text: Int[np.ndarray, " row"]
    token: Int[np.ndarray, " row"]
    token_id: Int[np.ndarray, " row"]
    piece: tuple[str, ...]
    generated: Bool[np.ndarray, " row"]
    values: Float[np.ndarray, "row vector"]

    def __len__(self) -> int:
        return len(self.values)

    def in_units(self) -> Float[np.ndarray, "row vector"]:
        """Return the projections in units of each vector's typical norm; NaN where it has none."""
        return self.values / np.array(
            [np.nan if one.typical_norm is None else one.typical_norm for one in self.vectors]
        )

    def means(self, part: Part = "generated") -> Float[np.ndarray, "text vector"]:
        """Return each text's mean over its tokens of a part; NaN where it has none."""
        wanted = self.generated if part == "generated" else ~self.generated
        n = np.bincount(self.text[wanted], minlength=len(self.texts))
        sums = np.stack(
            [
                np.bincount(self.text[wanted], column, len(self.texts))
                for column in self.values[wanted].T.astype(np.float64)
            ],
            axis=1,
        )
        return np.where(n[:, None] > 0, sums / np.maximum(n, 1)[:, None], np.nan)

    def minus(self, other: "Projections", part: Part = "generated") -> tuple[Effect, ...]:
        """Return, for each vector, the mean over texts here minus there, in pairs by text.

        Raises:
            SondeError: the two are of other vectors.
        """
        if [one.name for one in self.vectors] != [one.name for one in other.vectors]:
            raise SondeError(
                "Projections on different vectors are compared.",
                fix="Monitor both with the same vectors, in the same order.",
            )
        sides = [side._scores(part) for side in (self, other)]
        return tuple(difference(a, b) for a, b in zip(*sides, strict=True))

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file: a row a token, a column a vector."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns: dict[str, Any] = {
            "text": [self.texts[number] for number in self.text.tolist()],
            "token": self.token,
            "token_id": self.token_id,
            "piece": list(self.piece),
            "generated": self.generated,
        }
        columns |= {f"vector {n}": column for n, column in enumerate(self.values.T)}
        about = {
            "texts": self.texts,
            "vectors": [one.model_dump(mode="json") for one in self.vectors],
        }
        table = pa.table(columns).replace_schema_metadata({KEY: canonical_json(about).encode()})
        target = Path(path)
        write_atomic(target, lambda aside: pq.write_table(table, aside))
        return target

    @staticmethod
    def load(path: str | Path) -> "Projections":
        """Read what ``save`` wrote.

        Raises:
            SondeError: the file is missing, damaged or something else.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(Path(path))
        except (OSError, pa.ArrowInvalid) as error:
            raise SondeError(f"{path} cannot be read ({error}).", fix="Make it again.") from None
        given = (table.schema.metadata or {}).get(KEY)
        if given is None:
            raise SondeError(f"{path} holds no projections.", fix="Give a monitor's file.")
        about = validated(_About, json.loads(given), where=str(path))
        number = {name: place for place, name in enumerate(about.texts)}
        values = [table.column(f"vector {n}").to_numpy() for n in range(len(about.vectors))]
        return Projections(
            vectors=about.vectors,
            texts=about.texts,
            text=np.array([number[name] for name in table.column("text").to_pylist()]),
            token=table.column("token").to_numpy(),
            token_id=table.column("token_id").to_numpy(),
            piece=tuple(table.column("piece").to_pylist()),
            generated=table.column("generated").to_numpy(),
            values=np.stack(values, axis=1),
        )

    def _scores(self, part: Part) -> list[Scores]:
        means = self.means(part)
        known = ~np.isnan(means[:, 0])
        units = np.array(self.texts)[known]
        return [Scores("mean", units, column, None) for column in means[known].T]


class _About(Config):
    """What the schema's metadata says."""

    texts: tuple[str, ...]
    vectors: tuple[Monitored, ...]
