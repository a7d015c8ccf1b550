"""The process that runs agents: short actors, one supervision loop, and what they drive."""
