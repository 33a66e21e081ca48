"""usage: python -m tests.golden --write

Writes what the golden cases expect anew, from the code of the checkout; look at the difference before you commit it.
"""

from __future__ import annotations

import importlib
import sys

from tests.support import collection

if sys.argv[1:] != ["--write"]:
    sys.exit(__doc__)
collection.load()
# Not before the collection can be found.
importlib.import_module("tests.golden.cases").write()
