"""Whether sonde's numbers can be trusted: simulations with known truth, kept in docs/trust.md."""
