"""Create the first administrator; the setup steps run it with every release."""

import os

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Create the user ``admin`` with the password from ADMIN_PASSWORD, unless it is there."""

    def handle(self, *_args: object, **_options: object) -> None:
        """Leave an existing account alone, whatever its password is now."""
        users = get_user_model().objects
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", password=os.environ["ADMIN_PASSWORD"])
