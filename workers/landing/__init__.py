"""Landing a task's work on a branch of the user's, and what belongs to it: previews, gates, cleanup."""
