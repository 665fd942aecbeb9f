"""GET /api/v1/health/websocket-status: there is no market-data stream yet, and it says so."""

from typing import Final

from opitios.legacy.v1 import legacy_api_pb2 as legacy

STOCK_STREAM: Final = "wss://stream.data.alpaca.markets/v2/sip"
OPTION_STREAM: Final = "wss://stream.data.alpaca.markets/v1beta1/opra"
TEST_STREAM: Final = "wss://stream.data.alpaca.markets/v2/test"


def stream_status() -> legacy.GetWebSocketStatusResponse:
    """Nothing is connected, whoever asks."""
    return legacy.GetWebSocketStatusResponse(
        status="success",
        websocket_manager=legacy.WebSocketConnections(),
        active_connections=0,
        endpoints=legacy.WebSocketEndpoints(stocks=STOCK_STREAM, options=OPTION_STREAM, test=TEST_STREAM),
        message="This version has no market-data stream; read quotes instead",
    )
