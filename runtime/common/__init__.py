"""What any program needs and no other room owns; imports only errors and nouns."""
