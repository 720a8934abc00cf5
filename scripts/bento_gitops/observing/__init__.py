"""What was measured and asked of running tracks, and what follows from it: verification, replay, tuning, statistics. Pure."""
