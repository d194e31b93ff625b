"""The command line: one module for each command, with its options, its help and its work."""


def main() -> None:
    """Runs the program `ucoder`. Without the packages of the services it names the extra that brings them."""
    try:
        import typer  # noqa: F401
    except ModuleNotFoundError:
        raise SystemExit("ucoder: the command line needs more packages: pip install 'ucoder[service]'") from None
    from ucoder.cli.command_line import app

    app()
