"""The ledger: runs, stages and results in one database."""
