"""Who looks at the page, and what he may see: accounts, sessions, and patience with guesses."""
