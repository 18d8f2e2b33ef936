"""The maintenance page: cameras, clocks, drift, disk, recipes and signers, the calibration."""
