"""The suite. unit: in-process; integration: real processes; acceptance: the program as a user; then security, browser, chaos."""
