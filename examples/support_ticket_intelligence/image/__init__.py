"""Turns a built Bento into an OCI image without Docker, root or a registry, for machines that have none of them."""
