"""A scene as a folder: posed pictures and depth of several parts on a table."""
