-- A deleted task is kept for a while, out of sight, so that it can be put back.
ALTER TABLE task ADD COLUMN deleted_at INTEGER;
CREATE INDEX task_deleted ON task (deleted_at, number) WHERE deleted_at IS NOT NULL;
