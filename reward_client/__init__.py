"""The client of the reward service; needs grpcio and protobuf only."""
