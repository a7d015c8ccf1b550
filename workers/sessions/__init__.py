"""The agents' own session stores on disk: which transcripts there are, and what each of them says about its session."""
