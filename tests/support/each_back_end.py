"""usage: python -m tests.support.each_back_end

Print an application for each back end of the catalog, as JSON that the inventories of scenarios read.
"""

from __future__ import annotations

import json
import typing as t

from plugins.module_utils._catalog import BACK_ENDS

APPS: dict[str, dict[str, t.Any]] = {
    name: {"domains": [f"{name}.example"], "backend": row.name}
    for row in BACK_ENDS.values()
    for name in [f"on-{row.name}".replace("_", "-")]
}

if __name__ == "__main__":
    print(json.dumps(APPS))
