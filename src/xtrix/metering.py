"""Meters one call of a named key: whether it is accepted, what it may cost, and what it has cost.

It connects an exchange, which knows what happened, with the leases, which know what is left.
Routes, and the way to the ledger, are not known here.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from xtrix import prices
from xtrix.answer import SERVED_UNKNOWN, Served, Usage
from xtrix.calendar import timestamp
from xtrix.errors import NEVER_RETRY, ApiError, ClientError, Headers
from xtrix.json import Json
from xtrix.keys import bounds
from xtrix.keys.leases import Admission, Client, Leases, Shortage, Standing
from xtrix.keys.message import CALLS, MONEY, REQUESTS, TOKENS, Row
from xtrix.keys.record import MICROS, KeyRecord
from xtrix.prices import PriceList, Tariff
from xtrix.prompt import Prompt
from xtrix.protocol import Clock
from xtrix.providers import Plan, Target
from xtrix.steps import Failure, Renew, Step

OPEN_AFTER_SECONDS = 2.0
"""Seconds that a call waits for the ledger's answer before it is accepted without one. An answer
from another continent takes a quarter of that."""
STRICT_SECONDS = 5.0
"""Seconds that a call of a strict key waits for the ledger in all before it is refused."""
_RETRY_AFTER = 2
_MOST_TOKENS = 1_000_000_000

Asking = Generator[Step, Any, None]
"""Steps that may wait for the ledger."""


class LimitError(ApiError):
    """The key has reached a limit. It is not the request's fault, and nothing has failed."""

    def __init__(self, code: str, message: str, *, headers: Headers = ()) -> None:
        super().__init__(429, code, message, headers=headers)
        is_quota = code == "insufficient_quota"
        self.error_type = "insufficient_quota" if is_quota else "rate_limit_error"


class CostBasis(NamedTuple):
    """What decides how much a call may cost."""

    model: str
    """The model's name, as the client asks for it."""
    plan: Plan
    fields: Json
    """The request's own fields, without its turns."""
    likely_input: int
    """The tokens that its input is likely to have."""
    given: Mapping[str, Any] = MappingProxyType({})
    """All fields of a request for a completion, as the client wrote them."""
    body: bytes = b""
    """The request for a completion, without its long content."""
    protocol: str = ""
    """The client's protocol; empty for an endpoint without a limit of output tokens."""
    prompt: Callable[[], Prompt] | None = None
    """Returns the request as a Prompt, or raises ClientError. None if it cannot be a Prompt."""
    has_output: bool = True
    """Whether every answer has output tokens."""


class Heard(NamedTuple):
    """What an upstream has reported about its answer."""

    usage: Usage = Usage()
    characters: int = 0
    """About how many characters of text the answer has."""
    served: Served = SERVED_UNKNOWN
    is_whole: bool = False
    """Whether the report is complete."""


class Attempt(NamedTuple):
    """A call that an upstream may have charged for."""

    target: Target
    heard: Heard


class Ending(NamedTuple):
    """How an exchange ended."""

    target: Target | None
    """The target that was called last; None if none was."""
    attempts: Sequence[Attempt]
    """All calls that may have been charged for."""
    is_error: bool


class Meter:
    """Meters one exchange of a named key: what it reserves, uses, and tells of limits."""

    def __init__(self, client: Client, leases: Leases, price_list: PriceList, clock: Clock) -> None:
        """`clock` tells the time of the exchange."""
        self.client = client
        self.cost: float | None = 0
        """The cost in US dollars, once it has ended; None if it is not known."""
        self._leases = leases
        self._prices = price_list
        self._clock = clock
        self._call: Admission | None = None
        self._checked: KeyRecord | None = None
        """The record by which the key was last found valid. Each answer of the ledger has a new
        one, so it is checked again after a second or so."""
        self._basis: CostBasis | None = None
        self._tiers: dict[str, str] = {}
        """The service tiers that the client asks for, by the field's name."""
        self._has_output = False
        """Whether every whole answer has output tokens."""
        self._input = self._output = 0
        """The likely tokens."""
        self._need = (0, 0)
        """Tokens and micro-dollars that were reserved for each upstream call."""
        self._deadline = 0.0

    @property
    def name(self) -> str:
        """The key's name, or its id if the name is not known."""
        record = self._leases.record_of(self.client, self._clock.now)
        return record.name if record else self.client.name or self.client.id

    def check(self, model: str | None = None) -> None:
        """Raises ApiError for a key that is not valid, or not for `model`, as far as is known."""
        record = self._leases.record_of(self.client, self._clock.now)
        if record is None:
            if self._leases.is_gone(self.client):
                raise _refused("This key does not exist any more.")
        elif record is not self._checked:
            _check(record, self.client, self._clock.now)
            self._checked = record
        if record and model is not None and not record.limits.allows(model):
            message = f"This key may not use the model '{model[:100]}'."
            raise ClientError(403, "model_not_allowed", message, param="model")

    def know(self, model: str | None = None) -> Asking:
        """Finds out what the key may do, if that is not known. Raises ApiError as `check` does."""
        while self._leases.inquire(self.client, self._clock.now):
            yield from self._renew(self.client.strict)
        self.check(model)

    def allows(self, model: str) -> bool:
        """Whether the key may ask for `model`, as far as is known."""
        record = self._leases.record_of(self.client, self._clock.now)
        return record is None or record.limits.allows(model)

    def admit(self, basis: CostBasis) -> Asking:
        """Accepts the call, or raises ApiError."""
        self._basis = basis
        self._input, self._has_output = basis.likely_input, basis.has_output
        if not basis.fields.keys().isdisjoint(prices.TIER_FIELDS):
            given = {name: basis.fields.get(name) for name in prices.TIER_FIELDS}
            self._tiers = {name: tier for name, tier in given.items() if isinstance(tier, str)}
        self._call = Admission(self.client, self._measure)
        yield from self._let_in(self._call)
        self._basis = None  # it may be megabytes

    def reserve_again(self) -> Asking:
        """Reserves the same once more, after an attempt that may have been charged for.

        Raises ApiError if there is not enough left.
        """
        call = self._call
        if call:
            call.measure, call.asked = lambda record, average: self._need, 0
            self._deadline = 0
            yield from self._let_in(call)

    def _let_in(self, call: Admission) -> Asking:
        while True:
            verdict = self._leases.admit(call, self._clock.now)
            if verdict is True:
                return
            if isinstance(verdict, Shortage):
                raise self._limit(verdict)
            yield from self._renew(call.strict)

    def finish(self, ending: Ending, now: float) -> None:
        """Notes what the exchange has used."""
        call = self._call
        if call is None or not call.running:
            if ending.is_error:
                self._leases.refuse(self.client, now)
            return
        target, attempts, is_error = ending
        is_charged = bool(attempts) and attempts[-1].target == target
        others = attempts[:-1] if is_charged else attempts
        rows = [self._row(call, attempt) for attempt in others]
        if is_charged:
            rows.append(self._row(call, attempts[-1], 1, int(is_error)))
        else:
            rows.append(Row(self.client.id, *_place_of(target), 1, int(is_error)))
        micros = self._leases.finish(call, rows, now)
        if self.cost is not None:
            self.cost = micros / MICROS

    def _row(self, call: Admission, attempt: Attempt, requests: int = 0, errors: int = 0) -> Row:
        """What one call of an upstream has used, to count so many `requests` and `errors` with."""
        target, heard = attempt
        usage, estimated = self._usage(heard)
        price = self._prices.of(*target)
        micros = self._micros(price, usage, heard.served) if price else None
        is_known = micros is not None
        if price and micros is None:  # for a tier or a kind of token without a price: never zero
            micros = price.most(usage.prompt, usage.completion)
        if micros and estimated and call.strict and call.aside[MONEY]:
            micros = max(micros, self._need[1])
        if not is_known:
            self.cost = None
        return Row(
            self.client.id,
            *_place_of(target),
            requests,
            errors,
            int(estimated),
            usage.prompt,
            usage.cached,
            usage.cache_written,
            usage.completion,
            usage.reasoning,
            micros or 0,
            int(not is_known),
        )

    def headers(self, protocol: str) -> Headers:
        """The headers that say what is left of the limits, for a client of this protocol."""
        now = self._clock.now
        standing = self._leases.standing(self.client, now)
        return _FORMS.get(protocol, _openais)(standing, now) if standing else ()

    def _micros(self, price: Tariff, usage: Usage, served: Served) -> int | None:
        """The cost of `usage`; None if it is not known for a tier that may have been used."""
        if not self._tiers and prices.are_usual(served):
            return price.cost(usage)
        place = served.get("inference_geo", self._tiers.get("inference_geo", ""))
        known = [price.cost(usage, tier, place) for tier in _may_have_served(self._tiers, served)]
        costs = [it for it in known if it is not None]
        return max(costs) if len(costs) == len(known) else None

    def _usage(self, heard: Heard) -> tuple[Usage, bool]:
        """What was used, and whether some of it is an estimate."""
        # Impossible numbers are not believed: they would use up the key's whole budget, and their
        # sums would be too large for the ledger's column.
        usage = heard.usage if max(heard.usage) <= _MOST_TOKENS else Usage()
        if heard.is_whole and usage.prompt and (usage.completion or not self._has_output):
            return usage, False
        written = bounds.of_text(heard.characters)
        # For an answer of which no word was seen, as much as was reserved for it.
        completion = max(usage.completion, written) or self._output
        return usage._replace(prompt=usage.prompt or self._input, completion=completion), True

    def _measure(self, record: KeyRecord | None, average: float) -> tuple[int, int]:
        """The tokens and micro-dollars to reserve; see `Admission.measure`."""
        basis = self._basis
        assert basis is not None
        self.check(basis.model)
        tokens_out = 0
        if basis.has_output:
            tokens_out = bounds.likely_output(basis.fields, basis.protocol, average)
        self._output = tokens_out
        tokens_in = self._input
        limits = record.limits if record else None
        is_strict = limits.strict if limits else self.client.strict
        has_budget = limits is None or limits.has_budget
        if limits and (has_budget or limits.models) and basis.fields.get("models"):
            # OpenRouter may take other models of such a list than the one that was checked.
            message = "This key's models are checked by name: leave 'models' out, and name one."
            raise ClientError(403, "model_not_allowed", message, param="models")
        if is_strict and (has_budget or (limits and limits.tokens_per_minute)):
            tokens_in, tokens_out = _most(basis)
        money = 0
        if has_budget:
            tiers = None if is_strict else self._tiers.values()
            needs_price = limits is not None and not limits.unpriced
            for target in basis.plan.targets:
                price = self._prices.of(*target)
                if needs_price and (self._tiers or price is None):
                    self._check_price(target, price)
                # A model without a price that may be used costs nothing of a budget.
                cost = price.most(tokens_in, tokens_out, tiers) if price else 0
                money = max(money, cost)
        self._need = tokens_in + tokens_out, money
        return self._need

    def _check_price(self, target: Target, price: Tariff | None) -> None:
        """Raises ClientError if the price of a model, or of a requested tier, is not known."""
        name = "/".join(_place_of(target))
        if price is None:
            message = (
                f"This key has a budget, and what {name} costs is not known here. The operator can"
                " give it a price (prices in its row), or allow it (unpriced)."
            )
            raise ClientError(403, "model_without_price", message, param="model")
        for field, tier in self._tiers.items():
            if not prices.has_tier(price.price, tier):
                message = (
                    f"This key has a budget, and what {name} costs as '{tier[:64]}' is not known"
                    f" here. Leave {field} out, or have the operator give it a price (tiers of"
                    " prices in its row) or allow it (unpriced)."
                )
                raise ClientError(403, "tier_without_price", message, param=field)

    def _renew(self, strict: bool) -> Asking:
        """Waits for the ledger once more.

        Raises ApiError if it does not answer for a strict key.
        """
        now = self._clock.now
        limit = STRICT_SECONDS if strict else OPEN_AFTER_SECONDS
        self._deadline = self._deadline or now + limit
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
        self._leases.unreachable(self.client, self._clock.now)

    def _limit(self, shortage: Shortage) -> LimitError:
        """The error for a call for which there is not enough left."""
        record = self._leases.record_of(self.client, self._clock.now)
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


def _may_have_served(asked: Mapping[str, str], served: Served) -> set[str]:
    """The tiers that may have been used; the dearest of them counts.

    What the upstream reports counts, and only then may it be cheaper than the usual tier. An
    upstream that reports nothing may have ignored the request.
    """
    tier = served.get("service_tier")
    tiers = {tier} if tier else {"", asked.get("service_tier", "")}
    speed = served.get("speed", asked.get("speed", ""))
    return tiers if prices.is_usual(speed) else tiers | {speed}


def _place_of(target: Target | None) -> tuple[str, str]:
    """The provider and model of a row."""
    return (target.provider.name, target.model) if target else ("", "")


def _most(basis: CostBasis) -> tuple[int, int]:
    """The most input and output tokens. Raises ClientError if there is no limit."""
    bounds.check_bounded(basis.given)
    try:
        prompt = basis.prompt() if basis.prompt else None
    except ClientError:  # it is passed on, and may refer to anything
        prompt = None
    if prompt is None:
        tokens_in = bounds.most_unread(basis.given)
    else:
        tokens_in = bounds.most_input(prompt, basis.body)
    if not basis.has_output:
        return tokens_in, 0
    quirks = [target.provider.quirks for target in basis.plan.targets]
    tokens_out = bounds.most_output(basis.fields, basis.protocol, quirks)
    # The part of a prediction that is not used is charged as output too.
    return tokens_in, tokens_out + tokens_in * bool(basis.fields.get("prediction"))


def _money(shortage: Shortage, retry: Headers, *, strict: bool) -> LimitError:
    rest, need = max(0, shortage.rest) / MICROS, shortage.need / MICROS
    if shortage.retry_after is not None:
        message = "The rest of this key's budget is reserved for calls that run; try again."
        return LimitError("rate_limit_exceeded", message, headers=retry)
    message = f"This key's budget is used up: ${rest:.6f} are left."
    if strict:
        message += (
            f" Before a call starts, the most that it can cost has to be left, here ${need:.6f};"
            " a lower limit of output tokens makes that less."
        )
    return LimitError("insufficient_quota", message, headers=retry)


def _check(record: KeyRecord, client: Client, now: float) -> None:
    """Raises ClientError for a key that may not be used."""
    state = record.state(now)
    if state != "active":
        raise _refused(_STATES[state])
    if client.generation and not record.takes(client.generation, now):
        raise _refused("This key was replaced by a newer one.")


_STATES = {
    "off": "This key is switched off.",
    "expired": "This key has expired.",
    "deleted": "This key was deleted.",
}


def _refused(why: str) -> ClientError:
    message = f"Incorrect API key provided: {why}"
    challenge = (("www-authenticate", 'Bearer realm="xtrix"'),)
    return ClientError(401, "invalid_api_key", message, headers=challenge)


def _names(form: str) -> dict[int, tuple[str, ...]]:
    """The headers for each kind of rate: its limit, what remains of it, and when it resets."""
    kinds = {REQUESTS: "requests", TOKENS: "tokens"}
    whats = ("limit", "remaining", "reset")
    return {
        kind: tuple(form.format(kind=name, what=what) for what in whats)
        for kind, name in kinds.items()
    }


_OPENAIS = _names("x-ratelimit-{what}-{kind}")
_ANTHROPICS = _names("anthropic-ratelimit-{kind}-{what}")


def _openais(standing: Standing, now: float) -> Headers:
    """Source: platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers (2026-11)."""
    del now
    return _spelled(_OPENAIS, standing.rates, f"{math.ceil(max(0, standing.seconds))}s")


def _anthropics(standing: Standing, now: float) -> Headers:
    """Source: platform.claude.com/docs/en/api/rate-limits#response-headers (2026-11)."""
    resets = timestamp(math.ceil(now + max(0, standing.seconds)))
    return _spelled(_ANTHROPICS, standing.rates, resets)


def _spelled(
    names: Mapping[int, tuple[str, ...]], rates: Sequence[tuple[int, int, int]], resets: str
) -> Headers:
    headers: Headers = ()
    for kind, limit, left in rates:
        of_limit, of_rest, of_reset = names[kind]
        rest = str(left) if left > 0 else "0"
        headers += (of_limit, str(limit)), (of_rest, rest), (of_reset, resets)
    return headers


_FORMS: dict[str, Callable[[Standing, float], Headers]] = {"messages": _anthropics}
"""By the client's protocol; all others have OpenAI's."""
