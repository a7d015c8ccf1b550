"""Who may speak to the program, and how far a minted token reaches."""
