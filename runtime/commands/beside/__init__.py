"""`voxgate page`, `account` and `mqtt`: processes beside the service, and who may see them."""
