"""The claims are asked from another module than the one that they are written in."""

import pytest

pytest.register_assert_rewrite("tests.claims")
