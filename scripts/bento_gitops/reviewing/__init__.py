"""Two sides of a change -> what differs, which risk, what it costs, how to undo it -> Markdown. Pure."""
