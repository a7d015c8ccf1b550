"""The HTTP side: API, pages, live stream. It reads and writes the store, and starts no program."""
