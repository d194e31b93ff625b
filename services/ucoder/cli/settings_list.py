"""`ucoder settings`: every variable, its value here, and what it is for."""

from rich.console import Console
from rich.table import Table

from ucoder.runtime.settings import PREFIX, Settings, load

SECRET = {"model_api_key"}


def main() -> None:
    """Prints the table."""
    values = load()
    table = Table("variable", "value", "what it is")
    for name, field in Settings.model_fields.items():
        value = "***" if name in SECRET and getattr(values, name) else str(getattr(values, name) or "")
        table.add_row(PREFIX + name.upper(), value, field.description or "")
    Console().print(table)
