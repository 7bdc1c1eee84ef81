"""The reward service: grades completions over gRPC."""
