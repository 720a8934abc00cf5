"""Release control, pure: states and transitions, gates, evidence, analysis; what a command decides, without files or clocks."""
