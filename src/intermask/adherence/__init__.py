"""Whether motion does what its sentence says: contacts, sides, who acts, and prompts by hand."""
