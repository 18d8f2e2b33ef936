"""What one golden part shows: its views, its gloss, itself put down again."""
