"""What a line feels: real processes and sockets, in real time."""
