"""The sandbox as the server sees it: opened late, guarded by the canary, told to the health service."""
