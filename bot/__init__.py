"""People and places: channels, conversations, the store. The only package that touches the database."""
