"""The published layouts of data sets; each module finds its cases without opening a picture."""
