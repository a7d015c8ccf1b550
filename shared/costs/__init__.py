"""What agents use and what it costs: the ledger, the price list, sums."""
