-- Which of the agent's tool calls a question is about: its result shows that the answer arrived.
ALTER TABLE approval ADD COLUMN tool_use_id TEXT;

-- The janitor looks every second for questions whose time is over.
CREATE INDEX approval_expiry ON approval (expires_at) WHERE expires_at IS NOT NULL;
