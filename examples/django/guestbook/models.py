"""What visitors leave."""

from django.db import models


class Entry(models.Model):
    """One line in the book."""

    name = models.CharField(max_length=80)
    text = models.TextField(max_length=500)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-written",)
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}: {self.text[:40]}"
