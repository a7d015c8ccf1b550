-- What a person granted for the rest of a task: tool rules that stand before its policy's own.
ALTER TABLE task ADD COLUMN granted_rules TEXT NOT NULL DEFAULT '[]';

-- A question may expire, and an answer that was delivered is confirmed when the agent goes on with it.
ALTER TABLE approval ADD COLUMN expires_at INTEGER;
ALTER TABLE approval ADD COLUMN confirmed_at INTEGER;

-- What a live agent is held up by (retrying, outage); how its last turn ended in its own terms; when a usage limit
-- is lifted; and what it used by model, so that a price can be put on it.
ALTER TABLE attempt ADD COLUMN hindrance TEXT;
ALTER TABLE attempt ADD COLUMN outcome TEXT;
ALTER TABLE attempt ADD COLUMN limit_resets_at INTEGER;
ALTER TABLE attempt ADD COLUMN usage TEXT NOT NULL DEFAULT '{}';
