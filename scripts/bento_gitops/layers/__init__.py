"""YAML text with line marks, merged into resolved values that know where they come from. Pure: no file is opened here."""
