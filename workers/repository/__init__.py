"""All that touches git: worktrees, captures and landings, pure of the store."""
