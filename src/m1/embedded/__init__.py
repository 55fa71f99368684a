"""The engine in this process: an index in memory over items durable in SQLite.

The engine itself is in `engine`; the processes that make segments do without it.
"""

import os

# numpy's linear algebra, not used here, would start a thread for each core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
