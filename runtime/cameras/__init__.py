"""One process per camera, killed and replaced when it hangs."""
