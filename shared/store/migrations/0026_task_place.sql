-- What kind of place a task works in; before, a folder without git was always worked in in place.
ALTER TABLE task ADD COLUMN place TEXT;
UPDATE task SET place = 'worktree' WHERE worktree_path IS NOT NULL;
UPDATE task SET place = 'in-place' WHERE worktree_path IS NULL AND execution_workspace IS NOT NULL;
