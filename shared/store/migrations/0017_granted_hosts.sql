-- Hosts a person opened to a task beside those its policy lists.
ALTER TABLE task ADD COLUMN granted_hosts TEXT NOT NULL DEFAULT '[]';
