"""A snapshot of the working tree or of a Git ref, and the writing of files."""
