"""Entry point of the container: `python3 /opt/assay UID` serves on stdin and stdout."""

import sys

from sandbox.image.supervisor import serve

if __name__ == "__main__":
    serve(uid=int(sys.argv[1]))
