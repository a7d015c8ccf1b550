-- Who decided what. No foreign key: entries outlive the tasks they are about.
CREATE TABLE audit_entry (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    object_id TEXT,
    task_id TEXT,
    detail TEXT,
    detail_hash TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE INDEX audit_entry_task ON audit_entry (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX audit_entry_kind ON audit_entry (kind);

-- Entries are added behind the last one, and stay as they are: only a scrub may take the words of one away,
-- never their hash.
CREATE TRIGGER audit_entry_follows BEFORE INSERT ON audit_entry
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit_entry)
    OR NEW.prev_hash IS NOT coalesce(
        (SELECT hash FROM audit_entry ORDER BY seq DESC LIMIT 1),
        '0000000000000000000000000000000000000000000000000000000000000000'
    )
BEGIN
    SELECT RAISE(ABORT, 'an audit entry follows the last one');
END;

CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_entry_keeps BEFORE UPDATE ON audit_entry
WHEN NEW.detail IS NOT NULL
    OR (NEW.seq, NEW.at, NEW.actor, NEW.kind, NEW.object, NEW.object_id, NEW.task_id, NEW.detail_hash, NEW.prev_hash, NEW.hash)
        IS NOT
       (OLD.seq, OLD.at, OLD.actor, OLD.kind, OLD.object, OLD.object_id, OLD.task_id, OLD.detail_hash, OLD.prev_hash, OLD.hash)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
