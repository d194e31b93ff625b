"""`ucoder settings`: lists every setting with its value and its meaning."""

from rich.console import Console
from rich.table import Table

from ucoder.runtime.settings import PREFIX, Settings, load

SECRET = {"model_api_key"}


async def settings() -> None:
    """Lists every UCODER_* variable with its value here and its meaning.

    Example: `UCODER_CELLS=2 ucoder settings`
    """
    values = load()
    table = Table("variable", "value", "meaning")
    for name, field in Settings.model_fields.items():
        value = "***" if name in SECRET and getattr(values, name) else str(getattr(values, name) or "")
        table.add_row(PREFIX + name.upper(), value, field.description or "")
    Console().print(table)
