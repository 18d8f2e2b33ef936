"""`voxgate page` and `voxgate account`: the page for people in a browser, and who may see it."""
