"""The versions of changed files that a review shows beside the patch: pictures, and whole texts."""
