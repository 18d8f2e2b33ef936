"""The words of `voxgate calib`, one light module per command."""
