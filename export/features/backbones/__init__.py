"""Feature networks by name: what their authors and timm call them, their weights, their patches."""
