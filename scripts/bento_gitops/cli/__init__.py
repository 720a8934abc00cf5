"""Parses, calls one operation, prints."""
