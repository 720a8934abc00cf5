"""One function per command: load, decide, write."""
