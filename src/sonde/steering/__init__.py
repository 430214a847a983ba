"""Steering: trait responses, units, the search for a coefficient, monitoring."""
