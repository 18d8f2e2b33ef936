"""Who looks at the page, and what he may see: sessions, and proof of where a change comes from."""
