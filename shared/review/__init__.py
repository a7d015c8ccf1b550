"""Reading a change and letting it land: marks, comments, checks, gates, landings."""
