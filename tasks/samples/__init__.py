"""Small data sets of our own, under the hub's column names, that a tiny model can learn in minutes."""
