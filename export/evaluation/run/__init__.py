"""A data set through its recipes, case by case."""
