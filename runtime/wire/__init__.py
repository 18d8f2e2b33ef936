"""What crosses a socket: messages, sockets, keys."""
