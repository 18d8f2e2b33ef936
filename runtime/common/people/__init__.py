"""Who may log in: accounts, what each is for, and patience with guesses."""
