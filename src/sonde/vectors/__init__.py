"""Directions that stand for a trait: methods, cleaning, sets and their files."""
