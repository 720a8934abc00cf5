"""Strict frozen models of every file; one source for their JSON Schemas. Imports nothing else of the package."""
