"""The ledger's tables, as SQLAlchemy Core sees them. ``migrations`` makes them in the database."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)

from sonde.ledger.columns import Values, Words

metadata = MetaData()

# SQLite's integers have 64 bits whatever they are called, and it cannot change a column's type.
Large = BigInteger().with_variant(Integer, "sqlite")

# Few runs, however long the ledger. A query that has these very words finds them by an index.
UNFINISHED = text("state IN ('running', 'interrupted')")

# One row for each variant of an experiment that `sonde run` worked on. The rows are short, so that
# looking through all of them is quick; what is long is in `run_details`.
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Words, nullable=False),
    Column("variant", Words, nullable=False),  # "seed=1, acts.layers=auto"; empty without a sweep
    Column("purpose", Words, nullable=False),  # smoke, exploratory, confirmatory
    Column("model", Words, nullable=False),  # its name; empty without one
    Column("state", Words, nullable=False),  # running, done, failed, skipped, interrupted
    Column("started", Words, nullable=False),  # UTC, ISO 8601
    Column("beat", Words),  # when its process last said that it is there
    Column("ended", Words),
    Column("seconds", Float),
    Column("headline", Integer),  # its first result that has a score
    Column("value", Float),  # of that result
    Column("seed", Large, nullable=False),
    Column("spec_hash", Words, nullable=False),  # of `resolved`
    Column("folder", Words, nullable=False),  # where the results lie
    Column("commit_hash", Words),  # of the folder that the experiment file lies in
    Column("dirty", Integer),  # 1 where that folder had uncommitted changes
    Column("process", Values, nullable=False),  # host, pid and start of the process
    Column("question", Words, nullable=False),
    Column("reason", Words, nullable=False),  # why it failed or was skipped
    Column("origin", Words),  # of an imported run: what it is in the ledger that it came from
    # Everything that a list is filtered and sorted by. Reading all of it is quick, and takes the
    # same time whatever is asked; an index for each column is slow where it fits badly.
    Index("runs_listed", "name", "state", "purpose", "model", "started", "seconds", "value"),
    Index("runs_unfinished", "state", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    Index("runs_by_origin", "origin", unique=True),
)

# The rest of a run, which is read when it is shown.
run_details = Table(
    "run_details",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("spec_path", Words, nullable=False),
    Column("spec_text", Words, nullable=False),  # the file as given
    Column("overrides", Values, nullable=False),  # --set, as given
    Column("resolved", Values, nullable=False),  # every setting, defaults included
    Column("versions", Values, nullable=False),  # package -> version
    Column("hardware", Values, nullable=False),
    Column("facts", Values, nullable=False),  # columns of one's own: name -> words
    Column("planned", Values, nullable=False),  # what `plan` had estimated
    Column("cost", Values, nullable=False),  # what it was
)

# What free text is looked for in: question, reasons and notes of a run, in folded case.
run_texts = Table(
    "run_texts",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("text", Words, nullable=False),
)

# One row for each stage of a run, done before or now, skipped or failed.
stages = Table(
    "stages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("name", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("key", Words, nullable=False),  # empty for a skipped stage
    Column("state", Words, nullable=False),  # running, done, reused, failed, skipped
    Column("reason", Words, nullable=False),
    Column("started", Words, nullable=False),
    Column("seconds", Float),
    Column("made_of", Values, nullable=False),  # settings, input hashes, model, seed
    Column("outputs", Values, nullable=False),  # file -> SHA-256
    Column("summary", Values, nullable=False),
    Column("folder", Words, nullable=False),
    Column("planned", Values, nullable=False),
    Column("cost", Values, nullable=False),
    Column("question", Words, nullable=False, server_default=""),  # see `questions`
    Index("stages_by_run", "run_id"),
    Index("stages_by_key", "key"),
    Index("stages_by_question", "question"),
)

# Files of units by their content: the rows from which a result can be computed again.
unit_scores = Table(
    "unit_scores",
    metadata,
    Column("hash", Words, primary_key=True),  # SHA-256 of the file
    Column("size", Large, nullable=False),  # bytes of the file
    Column("content", LargeBinary),  # the file, compressed by zlib; null where it is too large
)

# One row for each measured number, or for the reason why there is none.
results = Table(
    "results",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stage_id", Integer, ForeignKey("stages.id"), nullable=False),
    Column("name", Words, nullable=False),  # "selected", "blocks.12.resid_post"
    Column("method", Words, nullable=False),  # "logistic"
    Column("metric", Words, nullable=False),  # "auroc"
    Column("value", Float),  # null where it is not a number
    Column("low", Float),
    Column("high", Float),
    Column("level", Float),  # null where the result is not applicable
    Column("n", Integer),
    Column("controls", Values, nullable=False),  # name -> value, low, high, n, level, series
    Column("baselines", Values, nullable=False),
    Column("units", Words, nullable=False),  # the file of units, in the stage's folder
    Column("units_hash", Words, ForeignKey("unit_scores.hash")),
    Column("series", Words, nullable=False),  # this result's rows in that file
    Column("note", Words, nullable=False),
    Column("not_applicable", Words, nullable=False),  # why there is no score
    Index("results_by_stage", "stage_id"),
    Index("results_by_units", "units_hash"),
)

# What a result is beside what was known. The newest row counts.
result_statuses = Table(
    "result_statuses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("result_id", Integer, ForeignKey("results.id"), nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id")),  # null where set by hand: for every run
    Column("status", Words, nullable=False),  # reproduced, novel, inconclusive, superseded
    Column("why", Words, nullable=False),
    Column("reference", Values),  # value, tolerance and source
    Column("recorded", Words, nullable=False),
    Index("result_statuses_by_result", "result_id"),
)

# Which run replaces which. Nothing is deleted; of several for one run the newest counts.
supersessions = Table(
    "supersessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("old_run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("new_run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("why", Words, nullable=False),
    Column("recorded", Words, nullable=False),
    Index("supersessions_by_old", "old_run"),
    Index("supersessions_by_new", "new_run"),
)

# Claims as they were registered. A row is never changed; a claim that is, or is put back to what an
# earlier one said, gets another.
claims = Table(
    "claims",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("variant", Words, nullable=False),
    Column("content", Values, nullable=False),
    Column("hash", Words, nullable=False),
    Column("spec_hash", Words, nullable=False),
    Column("registered", Words, nullable=False),
    Column("after_results", Integer, nullable=False),  # 1 where results were there before it
    Column("replaces", Integer, ForeignKey("claims.id")),  # the one before it of the same name
    Index("claims_by_name", "experiment", "name", "variant", "hash", "registered", unique=True),
)

# What runs said of claims.
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("claim_id", Integer, ForeignKey("claims.id"), nullable=False),
    Column("variant", Words, nullable=False),
    Column("verdict", Words, nullable=False),  # confirmed, refuted, inconclusive, partial
    Column("statement", Words, nullable=False),
    Column("effect", Values),  # value, low, high, n, level
    Column("boundary", Float),
    Column("p", Float),
    Column("p_adjusted", Float),
    Column("design", Words, nullable=False),
    Column("n", Integer, nullable=False),
    Column("why", Words, nullable=False),
    Column("advice", Words, nullable=False),
    Column("inputs", Words, nullable=False),
    Column("post_hoc", Integer, nullable=False),
    Column("recorded", Words, nullable=False),
    Index("verdicts_by_run", "run_id"),
    Index("verdicts_by_claim", "claim_id"),
)


def names_of(table: Table) -> tuple[str, ...]:
    """Return the names of a table's columns."""
    return tuple(column.name for column in table.columns)
