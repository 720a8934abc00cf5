"""One module per outside tool: the only code that starts or calls it."""
