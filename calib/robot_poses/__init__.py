"""Robot poses from files, in any controller's form."""
