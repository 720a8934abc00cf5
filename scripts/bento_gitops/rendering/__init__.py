"""Resolved values -> Helm values: what a release adds to the layers, and the text of values.yaml. Pure."""
