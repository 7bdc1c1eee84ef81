"""The files of a run: what is written, where, and which run goes on."""
