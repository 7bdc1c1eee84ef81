"""The same service on Ray Serve: replicas behind Ray's gRPC ingress, sandboxes as a deployment apart.

    client -- gRPC --> Ray's proxy --> Rewards (a whole server, on loopback) --> Programs (a sandbox)

Ray places, scales and restarts; grading is done by the server unchanged. Only this package
imports ray (extra "ray").
"""
