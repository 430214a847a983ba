"""The ledger's tables, as SQLAlchemy Core sees them. ``migrations`` makes them in the database."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, MetaData, Table, Text

metadata = MetaData()

# One row for each variant of an experiment that `sonde run` worked on.
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("variant", Text, nullable=False),  # "seed=1, acts.layers=auto"; empty without a sweep
    Column("question", Text, nullable=False),
    Column("state", Text, nullable=False),  # running, done, failed, skipped
    Column("reason", Text, nullable=False),  # why it failed or was skipped
    Column("started", Text, nullable=False),  # UTC, ISO 8601
    Column("ended", Text),
    Column("seconds", Float),
    Column("seed", Integer, nullable=False),
    Column("spec_path", Text, nullable=False),
    Column("spec_text", Text, nullable=False),  # the file as given
    Column("overrides", JSON, nullable=False),  # --set, as given
    Column("resolved", JSON, nullable=False),  # every setting, defaults included
    Column("spec_hash", Text, nullable=False),  # of `resolved`
    Column("folder", Text, nullable=False),  # where the results lie
    Column("commit_hash", Text),  # of the folder that the experiment file lies in
    Column("dirty", Integer),  # 1 where that folder had uncommitted changes
    Column("versions", JSON, nullable=False),  # package -> version
    Column("hardware", JSON, nullable=False),
    Column("process", JSON, nullable=False),  # host, pid and start of the process
)

# One row for each stage of a run, done before or now, skipped or failed.
stages = Table(
    "stages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),  # empty for a skipped stage
    Column("state", Text, nullable=False),  # running, done, reused, failed, skipped
    Column("reason", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("seconds", Float),
    Column("made_of", JSON, nullable=False),  # settings, input hashes, model, seed
    Column("outputs", JSON, nullable=False),  # file -> SHA-256
    Column("summary", JSON, nullable=False),
    Column("folder", Text, nullable=False),
)

# One row for each measured number.
results = Table(
    "results",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stage_id", Integer, ForeignKey("stages.id"), nullable=False),
    Column("name", Text, nullable=False),  # "selected", "blocks.12.resid_post"
    Column("metric", Text, nullable=False),
    Column("value", Float),  # null where it is not a number
    Column("low", Float),
    Column("high", Float),
    Column("level", Float, nullable=False),
    Column("n", Integer, nullable=False),
    Column("control", JSON),  # value, low, high, n of the shuffled-label control
    Column("baseline", JSON),
    Column("units", Text, nullable=False),  # file with the score of each unit, in the folder
    Column("note", Text, nullable=False),
)
