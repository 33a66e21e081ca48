"""Placeholder."""
def page(report, templates):
    return ""
