"""kill -9 anything at any point: nothing is lost, doubled or left."""
