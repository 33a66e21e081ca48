# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module fails with.

Private to the collection.
"""

from __future__ import annotations

import typing as t


class PyhostError(Exception):
    """A sentence for the user, with what else the result should carry (C(file), C(line), C(application))."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = {key: value for key, value in details.items() if value is not None}
