"""What a search hands back and writes down, how it is read again, and verified."""
