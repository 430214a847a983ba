"""Evaluation: what a dictionary keeps of activations and of the model, and what it does not."""
