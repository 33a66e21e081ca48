# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of all modules says of their attributes."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments by the place where a module works."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and report what would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change in C(check_mode), when in diff mode.
  platform:
    description: Target systems.
    support: full
    platforms: Debian
"""

    NEEDED = r"""
options:
  needed:
    description:
      - Whether this task has anything to do. With V(false) it ends on the controller as C(ok). C(when) would
        print C(skipping) instead, which reads as if something were missing.
    type: bool
    default: true
"""

    CONTROLLER = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and report what would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change in C(check_mode), when in diff mode.
    support: none
  idempotent:
    description: Changes nothing when run again in the same situation.
"""
