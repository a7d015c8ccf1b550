-- Groups: tasks for one goal that begin at the same commit. `set_aside` holds what a pick archived.
CREATE TABLE task_group (
    id TEXT PRIMARY KEY,
    base_commit TEXT,
    picked TEXT,
    set_aside TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL
);
ALTER TABLE task ADD COLUMN group_id TEXT REFERENCES task_group (id);
CREATE INDEX task_group_id ON task (group_id) WHERE group_id IS NOT NULL;
