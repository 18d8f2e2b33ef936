"""`voxgate page`, `account`, `mqtt`, `opcua`: processes beside the service, and who sees them."""
