"""The steps from one schema to the next; `versions/` holds one file a step."""
