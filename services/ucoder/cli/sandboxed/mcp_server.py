"""`ucoder mcp`: an MCP server by which agents run programs in the sandbox and select among them."""

from typing import Annotated

from rich.console import Console
from typer import Option

from ucoder.cli.shared import options
from ucoder.errors import Misconfigured


async def mcp(
    listen: Annotated[
        str | None, Option(help="host:port for streamable HTTP at /mcp. Default: standard input and output.")
    ] = None,
    consensus: options.ConsensusFlag = None,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
) -> None:
    """Serves MCP: the tools run_python, run_tests and select_program, for agents and editors.

    An agent starts it by this command alone and speaks to it through standard input and output.

    Example: `ucoder mcp --listen 127.0.0.1:8090`
    """
    import grpc
    import uvicorn

    from ucoder.cli.shared.embedded_services import consensus_service
    from ucoder.runtime.http_server import listening_socket

    try:
        from ucoder.gateway.mcp_tools import mcp_server
    except ModuleNotFoundError as error:
        raise Misconfigured(f"mcp: {error.name} is missing; pip install 'ucoder[mcp]'.") from None
    async with consensus_service(consensus, isolation, cells) as address, grpc.aio.insecure_channel(address) as channel:
        server = mcp_server(address, channel)
        if listen is None:
            await server.run_stdio_async()
            return
        with listening_socket(listen, f"--listen {listen}") as listener:
            host, port = listener.getsockname()[:2]
            Console(stderr=True).print(f"mcp: http://{host}:{port}/mcp", highlight=False, soft_wrap=True)
            app = server.streamable_http_app(stateless_http=True, max_request_body_size=64 << 20)
            await uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=10)).serve([listener])
