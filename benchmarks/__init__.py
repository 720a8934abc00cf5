"""How fast the commands are on a fleet of many applications, beside what people would use instead."""
