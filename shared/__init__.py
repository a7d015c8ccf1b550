"""What every process shares: pure values, the store, and the verbs on it."""
