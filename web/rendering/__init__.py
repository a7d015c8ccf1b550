"""Untrusted text as HTML: terminal output, prose, diffs and timeline rows; no store, no request, no file."""
