"""What runs beside every agent: one small process that outlives its worker (standard library and redaction only)."""
