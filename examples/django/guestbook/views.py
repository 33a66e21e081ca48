"""The page of the book."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join

from .models import Entry


def index(request: HttpRequest) -> HttpResponse:
    """Show the newest entries; a POST adds one."""
    if request.method == "POST":
        Entry.objects.create(name=request.POST["name"][:80], text=request.POST["text"][:500])
        return redirect(request.path)
    entries = format_html_join(
        "", "<li><b>{}</b>: {}</li>", ((entry.name, entry.text) for entry in Entry.objects.all()[:50])
    )
    return HttpResponse(
        format_html(
            "<!doctype html><title>Guest book</title><h1>Guest book</h1><form method=post>"
            '<input type=hidden name=csrfmiddlewaretoken value="{}">'
            "<input name=name placeholder=Name required> <input name=text placeholder=Text required>"
            "<button>Sign</button></form><ul>{}</ul><p><a href=admin/>Admin pages</a>",
            get_token(request),
            entries,
        )
    )
