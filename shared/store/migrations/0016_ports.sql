-- The first of the ten ports that a task's worktree has for itself.
ALTER TABLE task ADD COLUMN port_base INTEGER;
