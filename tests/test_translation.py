"""A request on its way to its targets: what is encoded, and how often."""

import pytest

from tests.answers import asked_for
from xtrix.prompt import Prompt
from xtrix.protocol import Encoded, Request
from xtrix.protocols import PROTOCOLS
from xtrix.protocols.chat import CHAT
from xtrix.providers import Plan, Provider, Target
from xtrix.reasoning import Carrier
from xtrix.translation import Conversion

CLAUDE = Target(Provider("anthropic", "anthropic", "http://upstream.test/v1"), "claude-haiku-4-5")
GPT = Target(Provider("openai", "openai", "http://upstream.test/v1"), "gpt-4.1")
CARRIER = Carrier(b"secret", b"client")


def test_a_request_is_read_once_however_many_targets_it_is_made_for() -> None:
    read: list[Request] = []

    def counted(request: Request, carrier: Carrier) -> Prompt:
        read.append(request)
        return CHAT.decode_prompt(request, carrier)

    asked = asked_for("any")
    conversion = Conversion(CHAT._replace(decode_prompt=counted), asked, CARRIER)

    conversion.encode(CLAUDE, Plan(()), is_last=False)
    conversion.encode(CLAUDE, Plan(()), is_last=True)

    assert read == [asked]


def test_a_request_is_written_once_for_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Target] = []
    ours = PROTOCOLS["messages"]

    def counted(prompt: Prompt, target: Target) -> Encoded:
        written.append(target)
        return ours.encode_prompt(prompt, target)

    monkeypatch.setitem(PROTOCOLS, "messages", ours._replace(encode_prompt=counted))

    Conversion(CHAT, asked_for("any"), CARRIER).encode(CLAUDE, Plan(()), is_last=True)

    assert written == [CLAUDE]


def test_a_request_for_its_own_protocol_is_relayed_once() -> None:
    relayed: list[Target] = []

    def counted(request: Request, target: Target, carrier: Carrier) -> Encoded:
        relayed.append(target)
        return CHAT.relay_request(request, target, carrier)

    codec = CHAT._replace(relay_request=counted)
    conversion = Conversion(codec, asked_for("any"), CARRIER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, "chat", codec)
        conversion.encode(GPT, Plan(()), is_last=True)

    assert relayed == [GPT]
