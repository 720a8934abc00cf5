"""Rendered objects against the schemas of Kubernetes and of custom resources, and against each other. Pure: no I/O here."""
