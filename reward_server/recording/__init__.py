"""What was graded, kept for later: a journal beside the server, Parquet files made of it."""
