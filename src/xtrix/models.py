"""The list of models that clients may choose from.

It contains the models that the configuration names, and those that the providers list and their
patterns match. Each isolate remembers a provider's list for some minutes, in plain values. A
provider that does not answer, or answers with junk, does not affect the others.

How a model is shown to a client is known to `listing`, and how a provider is asked to its protocol.
"""

from collections.abc import Generator
from itertools import islice
from typing import Any, NamedTuple

from xtrix import catalogue
from xtrix.cards import MODEL_NAME, ModelCard, cards_in, decode_page
from xtrix.config import Config
from xtrix.errors import BAD_RESPONSE
from xtrix.exchange import Exchange
from xtrix.http import UpstreamRequest
from xtrix.prices import price_of
from xtrix.protocols import DIALECTS
from xtrix.providers import Model, Provider, Target, find_target
from xtrix.steps import CallAll, Failure, Step, UpstreamAnswer

KEPT_SECONDS = 300.0
"""How long a provider's list is remembered."""
FAILED_SECONDS = 30.0
"""How long it takes until a provider that did not give a whole list is asked again."""
ASKING_SECONDS = 2.5
"""How long all providers together may take. Claude Code waits three seconds for the list."""
MAX_LIST_BYTES = 2_000_000
MOST_PAGES = 5
MOST_MODELS = 2_000
"""The most models of one provider."""

OURS = "xtrix"
"""The owner of a model with several targets, as the list shows it."""

_WILDCARDS = frozenset("*?[")
# A provider that lacks this path, or does not allow it for our key, does not have the model either.
_NO_SUCH_MODEL = frozenset({400, 403, 404, 405, 410, 422})


class _List(NamedTuple):
    """What a provider answered about its models."""

    cards: dict[str, ModelCard]
    """The models, by the provider's own ids."""
    is_whole: bool
    fresh_until: float


class Models:
    """The models of one configuration, as far as this isolate knows them."""

    def __init__(self) -> None:
        self._lists: dict[str, _List] = {}
        self._cards: dict[str, ModelCard] | None = None

    def all(self, config: Config, exchange: Exchange) -> Generator[Step, Any, dict[str, ModelCard]]:
        """Every model by its name. Providers whose lists are too old are asked first."""
        yield from self._refresh(config.providers, exchange)
        if self._cards is None:
            self._cards = self._named(config) | self._listed(config)
        return self._cards

    def one(self, config: Config, name: str, exchange: Exchange) -> Generator[Step, Any, ModelCard]:
        """The model `name`. Raises ClientError if it is not served.

        A model that is not listed may still exist, such as an id without its date at Anthropic. If
        its provider has a list, the provider is asked for the model itself. If it has no list, a
        name that leads to it is accepted.
        """
        model = config.model(name)
        if model:
            return _ours(model)
        target = catalogue.target_of(config, name)
        is_named = name in catalogue.names(config)
        if not is_named and not (MODEL_NAME.fullmatch(name) and MODEL_NAME.fullmatch(target.model)):
            raise catalogue.unknown(config, name)
        yield from self._refresh((target.provider,), exchange)
        if not is_named and not self._is_known(target):
            request = DIALECTS[target.provider.dialect].encode_model(*target)
            (answer,) = yield CallAll((request,), MAX_LIST_BYTES, ASKING_SECONDS)
            if isinstance(answer, UpstreamAnswer) and answer.head.status in _NO_SUCH_MODEL:
                raise catalogue.unknown(config, name)
        return self._card(target, name)

    def _is_known(self, target: Target) -> bool:
        """Whether `target` is listed, or its provider has no list at all."""
        listed = self._lists.get(target.provider.name)
        return listed is None or not listed.is_whole or target.model in listed.cards

    def _card(self, target: Target, name: str) -> ModelCard:
        """What is known of `target`, under the name that clients use."""
        listed = self._lists.get(target.provider.name)
        card = listed.cards.get(target.model) if listed else None
        card = card or ModelCard(name, target.provider.name)
        return card._replace(id=name, price=price_of(*target))

    def _named(self, config: Config) -> dict[str, ModelCard]:
        """The configured models, aliases and plain names whose providers have their secrets."""
        cards = {
            model.id: _ours(model)
            for model in config.models
            if not all(target.provider.missing_secret for target in model.targets)
        }
        for name in catalogue.names(config):
            target = find_target(config.providers, name)
            if target and not target.provider.missing_secret:
                cards.setdefault(name, self._card(target, name))
        return cards

    def _listed(self, config: Config) -> dict[str, ModelCard]:
        """The models that providers list, by the names that lead to them."""
        taken = {model.id for model in config.models}
        cards = {}
        for provider in config.providers:
            listed = self._lists.get(provider.name)
            for model in listed.cards if listed else ():
                target = Target(provider, model)
                name = _name_of(target, config.providers, taken)
                if name and provider.serves(model):
                    cards[name] = self._card(target, name)
        return cards

    def _refresh(
        self, providers: tuple[Provider, ...], exchange: Exchange
    ) -> Generator[Step, Any, None]:
        """Asks providers whose lists are too old, page by page, all at the same time."""
        polls = [
            _Poll(provider)
            for provider in providers
            if _is_asked(provider) and self._is_old(provider, exchange.now)
        ]
        until = exchange.now + ASKING_SECONDS
        while pending := [each for each in polls if each.wants_more and exchange.now < until]:
            requests = tuple(each.request() for each in pending)
            outcomes = yield CallAll(requests, MAX_LIST_BYTES, until - exchange.now)
            for each, outcome in zip(pending, outcomes, strict=True):
                each.take(outcome)
        for each in polls:
            each.stop()
            self._keep(each, exchange)

    def _is_old(self, provider: Provider, now: float) -> bool:
        listed = self._lists.get(provider.name)
        return listed is None or listed.fresh_until <= now

    def _keep(self, poll: "_Poll", exchange: Exchange) -> None:
        """Remembers what came. An earlier list is kept if it has more."""
        name = poll.provider.name
        listed = self._lists.get(name, _List({}, is_whole=False, fresh_until=0))
        if poll.failure:
            exchange.record.failures.append(f"{name}/models: {poll.failure}")
        seconds = FAILED_SECONDS if poll.failure else KEPT_SECONDS
        fresh_until = exchange.now + seconds
        if not poll.failure or len(poll.cards) >= len(listed.cards):
            self._lists[name] = _List(poll.cards, not poll.failure, fresh_until)
        else:
            self._lists[name] = listed._replace(fresh_until=fresh_until)
        self._cards = None


def _ours(model: Model) -> ModelCard:
    """The entry of a model with several targets.

    It has a price if all usable targets cost the same.
    """
    usable = [target for target in model.targets if not target.provider.missing_secret]
    first, *others = [price_of(*target) for target in usable] or [None]
    is_one = first and all(it and it._replace(pattern=first.pattern) == first for it in others)
    return ModelCard(model.id, OURS, price=first if is_one else None)


class _Poll:
    """A provider that is being asked for its models."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.cards: dict[str, ModelCard] = {}
        self.failure: str | None = None
        self._after: str | None = None
        self._pages = 0

    @property
    def wants_more(self) -> bool:
        """Whether there is a further page."""
        return not self.failure and (self._pages == 0 or self._after is not None)

    def request(self) -> UpstreamRequest:
        """The call for the next page."""
        return DIALECTS[self.provider.dialect].encode_models(self.provider, self._after)

    def take(self, outcome: UpstreamAnswer | Failure) -> None:
        """Reads the next page from the outcome of the call."""
        try:
            body = _body(outcome)
            entries, after = decode_page(body)
        except _NoBody as error:
            self.failure = str(error)
            return
        except ValueError:
            self.failure = BAD_RESPONSE
            return
        self._pages += 1
        for card in islice(cards_in(entries, self.provider), MOST_MODELS - len(self.cards)):
            self.cards.setdefault(card.id, card)
        if after is not None and (after == self._after or self._pages == MOST_PAGES):
            self.failure = "endless"
        self._after = after

    def stop(self) -> None:
        """Notes that no further page will be asked for, even if there is one."""
        if self.wants_more:
            self.failure = Failure.TIME.value


class _NoBody(Exception):
    """The reason why no list could be read: a word for the log."""


def _body(outcome: UpstreamAnswer | Failure) -> bytes:
    if isinstance(outcome, Failure):
        raise _NoBody(outcome.value)
    if outcome.head.status != 200:
        raise _NoBody(outcome.head.status)
    if isinstance(outcome.body, Failure):
        raise _NoBody(outcome.body.value)
    return outcome.body


def _is_asked(provider: Provider) -> bool:
    """Whether its models are given by patterns, so that only the provider can list them."""
    return not provider.missing_secret and any(_WILDCARDS & set(name) for name in provider.models)


def _name_of(target: Target, providers: tuple[Provider, ...], taken: set[str]) -> str | None:
    """The name that leads to `target`; None if there is none. Names in `taken` lead elsewhere.

    It is the model's own name, or `provider/model` if that name leads to another provider.
    """
    for name in (target.model, f"{target.provider.name}/{target.model}"):
        leads_here = name not in taken and find_target(providers, name) == target
        if leads_here and MODEL_NAME.fullmatch(name):
            return name
    return None
