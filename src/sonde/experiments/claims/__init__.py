"""Claims of an experiment file: written before the run, registered, judged after it."""
