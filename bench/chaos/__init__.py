"""The service under faults, with real processes: `python -m bench.chaos`.

samples    what is sent, and the value that each must get
ledger     what was sent and what came of it; nothing is taken on trust
callers    those who send: batches, a trainer's steps, a slow reader, a flood
extras     rewards of "another distribution": one that stalls, one with two versions
proxy      a network that can be cut and slowed down
lab        two servers and an engine that may be killed
scenarios  the faults, one a row of the table
"""
