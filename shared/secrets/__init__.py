"""Secrets: kept, granted, and found or masked in text. Imports nothing: the shim starts beside every agent."""
