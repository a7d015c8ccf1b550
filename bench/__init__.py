"""Benchmarks: each module's `measure()` gives rows {name, value, unit, yardstick, ratio, bar, ok}; `make bench` runs them."""
