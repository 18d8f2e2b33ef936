"""Who comes in at a socket, how much may be sent, and who has to go: keys, limits, endings."""
