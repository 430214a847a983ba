"""Judges of answers: a server, a local model, rules, any scoring function."""
