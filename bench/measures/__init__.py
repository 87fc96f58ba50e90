"""One measure a file. Each takes a session and returns its rows."""
