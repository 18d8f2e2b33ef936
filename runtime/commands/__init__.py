"""The words of the console command, one light module each."""
