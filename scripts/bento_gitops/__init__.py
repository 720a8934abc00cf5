"""Runs BentoML services on Kubernetes by pull request."""
