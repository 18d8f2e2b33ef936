"""The words of `voxgate export` and of the commands that judge a recipe, one light module each."""
