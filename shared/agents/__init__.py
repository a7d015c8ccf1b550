"""Agents as programs: their options, their sessions and transcripts, and the files that configure them."""
