"""What drives the real agent programs in tests: their installation, and a model that follows a script."""
