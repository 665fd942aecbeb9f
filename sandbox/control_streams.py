"""Control of the streams: cut connections, and events that come twice, in the wrong order or never."""

from sandbox.control import ControlCall, Json
from sandbox.stream_hub import StreamFault, StreamFaultRule, StreamKind

_KINDS = tuple(kind.value for kind in StreamKind)
_ACTIONS = (*(fault.value for fault in StreamFault), "cut")


async def add_stream_fault(call: ControlCall) -> Json:
    """POST streams {action: cut|duplicate|swap|drop, stream?, account?, times?}: `cut` acts at once."""
    body = call.body
    action = body.choice("action", _ACTIONS, "")
    kind = StreamKind(body.choice("stream", _KINDS, StreamKind.TRADE_UPDATES.value) or _KINDS[0])
    account = body.text("account") if body.has("account") else None
    times = body.find_whole("times", least=1) or 1
    body.finish()
    call.check()
    hub = call.sandbox.streams
    if action == "cut":
        return {"cut": hub.cut(kind, account)}
    hub.add_fault(StreamFaultRule(fault=StreamFault(action), kind=kind, account=account, times=times))
    return {"action": action, "times": times}


async def show_streams(call: ControlCall) -> Json:
    """GET streams: the connections that are open."""
    return {
        "connections": [
            {"stream": each.kind.value, "account": each.account}
            for each in call.sandbox.streams.connections(None, None)
        ]
    }


async def clear_stream_faults(call: ControlCall) -> Json:
    """DELETE streams: every planted fault; the connections stay."""
    call.sandbox.streams.clear_faults()
    return {}
