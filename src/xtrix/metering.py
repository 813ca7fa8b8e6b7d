"""One call on a named key: whether it may go, what it may cost, what it has cost.

Stands between an exchange, which knows what happened, and the leases, which know what is left.
Refuses to know routes, and how the ledger is reached.
"""

import math
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from xtrix import prices
from xtrix.answer import Usage
from xtrix.calendar import timestamp
from xtrix.errors import NEVER_RETRY, ApiError, ClientError, Headers
from xtrix.json import Json
from xtrix.keys import bounds
from xtrix.keys.leases import Admission, Client, Leases, Shortage
from xtrix.keys.message import CALLS, MONEY, REQUESTS, TOKENS, Row
from xtrix.keys.record import MICROS, KeyRecord
from xtrix.prompt import Prompt
from xtrix.providers import Plan, Price, Target
from xtrix.steps import Failure, Renew, Step

OPEN_AFTER_SECONDS = 2.0
"""For which a call waits for an answer of the ledger before it is let in without one. An answer
from another continent takes a quarter of that."""
STRICT_SECONDS = 5.0
"""For which a call of a strict key waits for the ledger in all before it is refused."""
_RETRY_AFTER = 2
_MOST_TOKENS = 1_000_000_000

Asking = Generator[Step, Any, None]
"""Steps that may have to wait for the ledger."""


class LimitError(ApiError):
    """The key's limit, not the request's fault and nobody's failure."""

    def __init__(self, code: str, message: str, *, headers: Headers = ()) -> None:
        super().__init__(429, code, message, headers=headers)
        is_quota = code == "insufficient_quota"
        self.error_type = "insufficient_quota" if is_quota else "rate_limit_error"


class Asked(NamedTuple):
    """What decides how much a call may come to."""

    model: str
    """As the client calls it."""
    plan: Plan
    fields: Json
    """The request's own, without its turns."""
    size: int
    """Bytes of its body."""
    likely_input: int
    """Tokens."""
    protocol: str = ""
    """The client's; empty for an endpoint that has no limit of output tokens."""
    prompt: Callable[[], Prompt] | None = None
    """Gives the request as a Prompt, or raises ClientError. None where there is no such form."""


class Ending(NamedTuple):
    """How an exchange ended."""

    target: Target | None
    """The last that was called; None where none was."""
    usage: Usage
    """What the upstream has told."""
    is_whole: bool
    """Whether that is all there is to tell."""
    has_cost: bool
    """Whether the upstream may have charged for it."""
    characters: int
    """Of text that was relayed."""
    is_error: bool


class Meter:
    """What one exchange on a named key sets aside, uses and is told of its limits."""

    def __init__(self, client: Client, leases: Leases, clock: Callable[[], float]) -> None:
        """`clock` tells the time of the exchange in Unix seconds."""
        self.client = client
        self.cost: float | None = 0
        """US dollars, once it has ended; None where that is not known."""
        self._leases = leases
        self._clock = clock
        self._call: Admission | None = None
        self._asked: Asked | None = None
        self._prices: dict[str, Price | None] = {}
        self._tiers: list[str] = []
        """All that the client asks for; the dearest of them is held to have served."""
        self._input = self._output = 0
        """Tokens that are likely."""
        self._deadline = 0.0

    @property
    def name(self) -> str:
        """The key's name, or its id where no name is known."""
        record = self._leases.record_of(self.client, self._clock())
        return record.name if record else self.client.name or self.client.id

    def check(self, model: str | None = None) -> None:
        """Raise ApiError for a key that is known to be of no use, or not for `model`."""
        record = self._leases.record_of(self.client, self._clock())
        if record is None and self._leases.is_gone(self.client):
            raise _refused("This key does not exist any more.")
        if record:
            _check(record, self.client, model, self._clock())

    def know(self, model: str | None = None) -> Asking:
        """Learn what the key may do, where that is not known. Raises ApiError as `check`."""
        while self._leases.inquire(self.client, self._clock()):
            yield from self._renew(self.client.strict)
        self.check(model)

    def allows(self, model: str) -> bool:
        """Whether the key may ask for `model`, as far as is known."""
        record = self._leases.record_of(self.client, self._clock())
        return record is None or record.limits.allows(model)

    def admit(self, asked: Asked) -> Asking:
        """Let the call in, or raise ApiError."""
        self._asked = asked
        self._input = asked.likely_input
        self._prices = {
            f"{target.provider.name}/{target.model}": prices.price_of(*target)
            for target in asked.plan.targets
        }
        tiers = map(asked.fields.get, ("service_tier", "speed"))
        self._tiers = [it for it in tiers if isinstance(it, str)]
        if not _tells_tier(asked):
            self._tiers.append("")
        call = self._call = Admission(self.client, self._measure)
        while True:
            verdict = self._leases.admit(call, self._clock())
            if verdict is True:
                self._asked = None  # it may be megabytes
                return
            if isinstance(verdict, Shortage):
                raise self._limit(verdict)
            yield from self._renew(call.strict)

    def finish(self, ending: Ending, now: float) -> None:
        """Note what the exchange has used."""
        call = self._call
        if call is None or not call.running:
            if ending.is_error:
                self._leases.refuse(self.client, now)
            return
        usage, estimated = self._usage(ending)
        tokens = usage.prompt + usage.completion
        name = f"{ending.target.provider.name}/{ending.target.model}" if ending.target else ""
        price = self._prices.get(name)
        micros = self._micros(price, usage) if price and tokens else None
        if estimated and call.strict and micros is not None:
            micros = max(micros, call.aside[MONEY])
        self.cost = None if tokens and micros is None else (micros or 0) / MICROS
        if price and micros is None:  # of a tier or a class that has no price: never nothing
            micros = prices.most(price, usage.prompt, usage.completion)
        row = Row(
            self.client.id,
            ending.target.provider.name if ending.target else "",
            ending.target.model if ending.target else "",
            requests=1,
            errors=int(ending.is_error),
            estimated=int(estimated),
            input=usage.prompt,
            cached=usage.cached,
            written=usage.cache_written,
            output=usage.completion,
            reasoning=usage.reasoning,
            micros=micros or 0,
            unpriced=int(self.cost is None),
        )
        self._leases.finish(call, row, tokens, now)

    def headers(self, protocol: str) -> Headers:
        """What is left of the limits, for a client of this protocol."""
        standing = self._leases.standing(self.client, self._clock())
        return tuple(
            header
            for kind, name in ((REQUESTS, "requests"), (TOKENS, "tokens"))
            if kind in standing
            for header in _FORMS.get(protocol, _openais)(name, *standing[kind])
        )

    def _micros(self, price: Price, usage: Usage) -> int | None:
        """What `usage` has cost; None where that is not known of a tier that was asked for."""
        costs = [prices.cost(price, usage, tier) for tier in self._tiers or (None,)]
        known = [it for it in costs if it is not None]
        return max(known) if len(known) == len(costs) else None

    def _usage(self, ending: Ending) -> tuple[Usage, bool]:
        """What was used, and whether some of that is an estimate."""
        # What no call can have used is not believed: it would be the end of the key's budget, and
        # sums of it are more than a ledger's column holds.
        usage = ending.usage if max(ending.usage) <= _MOST_TOKENS else Usage()
        if not ending.has_cost:
            return Usage(), False
        if ending.is_whole and (usage.prompt or usage.completion):
            return usage, False
        written = bounds.of_text(ending.characters)
        # Of an answer that nobody has seen a word of, as much as was set aside for it.
        completion = max(usage.completion, written) or self._output * (not ending.is_whole)
        return usage._replace(prompt=usage.prompt or self._input, completion=completion), True

    def _measure(self, record: KeyRecord | None, average: float) -> tuple[int, int]:
        """Tokens and micro-dollars to set aside, as `Admission.measure` has it."""
        asked = self._asked
        assert asked is not None
        self.check(asked.model)
        self._output = bounds.likely_output(asked.fields, asked.protocol, average)
        limits = record.limits if record else None
        is_strict = limits.strict if limits else self.client.strict
        if limits and limits.budgets and not limits.unpriced:
            self._check_prices()
        if limits and (limits.budgets or limits.models) and asked.fields.get("models"):
            # OpenRouter takes others than the one that was checked from such a list.
            message = "This key's models are checked by name: leave 'models' out, and name one."
            raise ClientError(403, "model_not_allowed", message, param="models")
        tokens_in, tokens_out = self._input, self._output
        if is_strict and (limits is None or limits.budgets or limits.tokens_per_minute):
            tokens_in = _most_input(asked)
            tokens_out = bounds.most_output(asked.fields, asked.protocol)
        known = [price for price in self._prices.values() if price]
        # One that is unpriced, and may be used in spite of that, costs nothing of a budget.
        money = max((prices.most(price, tokens_in, tokens_out) for price in known), default=0)
        return tokens_in + tokens_out, money

    def _check_prices(self) -> None:
        for name, price in self._prices.items():
            if price is None:
                message = (
                    f"This key has a budget, and what {name} costs is not known here. The operator"
                    " can give it a price (prices in its row), or allow it (unpriced)."
                )
                raise ClientError(403, "model_without_price", message, param="model")
            for tier in self._tiers:
                if not prices.has_tier(price, tier):
                    message = (
                        f"This key has a budget, and what {name} costs as '{tier[:64]}' is not"
                        " known here. Leave service_tier and speed out, or have the operator give"
                        " it a price (tiers of prices in its row) or allow it (unpriced)."
                    )
                    raise ClientError(403, "tier_without_price", message, param="service_tier")

    def _renew(self, strict: bool) -> Asking:
        """Wait for the ledger once more. Raises ApiError where it does not answer a strict key."""
        now = self._clock()
        patience = STRICT_SECONDS if strict else OPEN_AFTER_SECONDS
        self._deadline = self._deadline or now + patience
        left = self._deadline - now
        failure = (yield Renew(left)) if left > 0 else Failure.TIME
        if failure is None:
            if not strict:
                self._deadline = 0.0
            return
        if strict:
            message = "What this key may spend cannot be asked for at the moment; try again."
            headers = (("retry-after", str(_RETRY_AFTER)),)
            raise ApiError(503, "ledger_unavailable", message, headers=headers)
        self._leases.unreachable(self.client, self._clock())

    def _limit(self, shortage: Shortage) -> LimitError:
        """The answer to a call that there is not enough left for."""
        record = self._leases.record_of(self.client, self._clock())
        limits = record.limits if record else None
        wait = shortage.retry_after
        retry = (("retry-after", str(math.ceil(wait))),) if wait is not None else NEVER_RETRY
        if shortage.kind == MONEY:
            return _money(shortage, retry, strict=bool(limits and limits.strict))
        names = {
            REQUESTS: ("requests per minute", limits and limits.requests_per_minute),
            TOKENS: ("tokens per minute", limits and limits.tokens_per_minute),
            CALLS: ("calls at once", limits and limits.parallel),
        }
        what, limit = names[shortage.kind]
        message = f"This key's limit of {limit} {what} is reached."
        if wait is None:
            message = (
                f"This request may come to {shortage.need} tokens, and this key's limit is"
                f" {limit} {what}. Ask for less, or lower its limit of output tokens."
            )
        elif shortage.kind != CALLS:
            message += f" Try again in {math.ceil(wait)}s."
        return LimitError("rate_limit_exceeded", message, headers=retry)


def _tells_tier(asked: Asked) -> bool:
    """Whether each target is told a `service_tier`, so that one which is cheaper may be booked.

    No `speed` is cheaper, and those of Messages are not OpenAI's.
    """
    if asked.protocol == "messages" or not isinstance(asked.fields.get("service_tier"), str):
        return False
    return not any("service_tier" in it.provider.quirks.drop for it in asked.plan.targets)


def _most_input(asked: Asked) -> int:
    try:
        prompt = asked.prompt() if asked.prompt else None
    except ClientError:  # it is relayed, and may hold what stands for anything
        prompt = None
    if prompt is None:
        return bounds.most_unread(asked.fields)
    return bounds.most_input(prompt, asked.size)


def _money(shortage: Shortage, retry: Headers, *, strict: bool) -> LimitError:
    rest, need = max(0, shortage.rest) / MICROS, shortage.need / MICROS
    if shortage.retry_after is not None:
        message = "The rest of this key's budget is set aside for calls that run; try again."
        return LimitError("rate_limit_exceeded", message, headers=retry)
    message = f"This key's budget is used up: ${rest:.6f} are left."
    if strict:
        message += (
            f" Before a call starts, the most that it can cost has to be left, here ${need:.6f};"
            " a lower limit of output tokens makes that less."
        )
    return LimitError("insufficient_quota", message, headers=retry)


def _check(record: KeyRecord, client: Client, model: str | None, now: float) -> None:
    """Raise ClientError for a key that may not be used, or not for `model`."""
    state = record.state(now)
    if state != "active":
        raise _refused(_STATES[state])
    if client.generation and not record.takes(client.generation, now):
        raise _refused("This key was replaced by a newer one.")
    if model is not None and not record.limits.allows(model):
        message = f"This key may not use the model '{model[:100]}'."
        raise ClientError(403, "model_not_allowed", message, param="model")


_STATES = {
    "off": "This key is switched off.",
    "expired": "This key has expired.",
    "deleted": "This key was deleted.",
}


def _refused(why: str) -> ClientError:
    message = f"Incorrect API key provided: {why}"
    challenge = (("www-authenticate", 'Bearer realm="xtrix"'),)
    return ClientError(401, "invalid_api_key", message, headers=challenge)


def _openais(name: str, limit: int, left: int, resets: float, now: float) -> Headers:
    """Source: platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers (2026-11)."""
    return (
        (f"x-ratelimit-limit-{name}", str(limit)),
        (f"x-ratelimit-remaining-{name}", str(left)),
        (f"x-ratelimit-reset-{name}", f"{math.ceil(max(0, resets - now))}s"),
    )


def _anthropics(name: str, limit: int, left: int, resets: float, now: float) -> Headers:
    """Source: platform.claude.com/docs/en/api/rate-limits#response-headers (2026-11)."""
    return (
        (f"anthropic-ratelimit-{name}-limit", str(limit)),
        (f"anthropic-ratelimit-{name}-remaining", str(left)),
        (f"anthropic-ratelimit-{name}-reset", timestamp(math.ceil(max(resets, now)))),
    )


_FORMS: dict[str, Callable[[str, int, int, float, float], Headers]] = {"messages": _anthropics}
"""By the client's protocol; OpenAI's for all others."""
