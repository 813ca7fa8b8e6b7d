"""Which targets a model's name leads to, and which names there are.

A name is looked for among the configured models, then among the aliases and the plain names of
every provider, then as `provider/model`, then in the providers' patterns: the first that fits
counts.
"""

import difflib
import hashlib

from xtrix.config import Config
from xtrix.endpoints import Endpoint
from xtrix.errors import ClientError, ConfigurationError
from xtrix.protocol import Request
from xtrix.providers import Model, Plan, Provider, Target, find_target

_PATTERN = frozenset("*?[")


def plan_of(config: Config, request: Request, chance: float) -> Plan:
    """The targets of `request`, in order. Raises ClientError for a model nobody serves.

    Where a model's targets carry weights, the conversation chooses who comes first: by its
    `session`, so that it meets the same prompt cache again, else by `chance`,
    a number from 0 up to 1.
    """
    name = request.model
    model = next((model for model in config.models if model.id == name), None)
    if model is None:
        return Plan((target_of(config, name),))
    usable = [target for target in model.targets if not target.provider.lacks]
    if not usable:
        raise _locked(model.targets[0].provider)
    share = _share(request.session) if request.session else chance
    return Plan(_weighted(model, share), model.deadline, model.first_byte, is_choice=True)


def endpoint_plan(config: Config, name: str, endpoint: Endpoint, chance: float) -> Plan:
    """The targets of a call to `endpoint` for the model `name`. Raises ClientError.

    Of a model with targets of its own only those count that have the endpoint, and where answers of
    two models do not mix, only those that are the same model as the first.
    """
    model = next((model for model in config.models if model.id == name), None)
    if model is None:
        return Plan((_endpoint_target(config, name, endpoint),))
    having = [
        each
        for each in zip(model.targets, model.weights, model.names, strict=True)
        if each[0].provider.has(endpoint.name, each[0].model)
    ]
    if not having:
        raise _lacking(name, endpoint)
    if endpoint.one_model:
        having = [each for each in having if each[2] == having[0][2]]
    if all(target.provider.lacks for target, _, _ in having):
        raise _locked(having[0][0].provider)
    targets, weights, _ = zip(*having, strict=True)
    ordered = _weighted(model._replace(targets=targets, weights=weights), chance)
    return Plan(ordered, model.deadline, model.first_byte, is_choice=True)


def _endpoint_target(config: Config, name: str, endpoint: Endpoint) -> Target:
    """Where `name` leads among the providers that have `endpoint`. Raises ClientError."""
    having = tuple(it for it in config.providers if it.has(endpoint.name))
    target = find_target(having, name)
    if target is None or not target.provider.has(endpoint.name, target.model):
        known = find_target(config.providers, name)
        raise _lacking(name, endpoint) if known else unknown(config, name)
    if target.provider.lacks:
        raise _locked(target.provider)
    return target


def _lacking(name: str, endpoint: Endpoint) -> ClientError:
    message = f"No provider of the model '{name[:100]}' has {endpoint.path} here."
    return ClientError(404, "model_not_found", message, param="model")


def names(config: Config) -> dict[str, str]:
    """Every model that has a name of its own, and whose it is. Patterns name none."""
    named: dict[str, str] = {}
    for model in config.models:
        named.setdefault(model.id, "xtrix")
    for provider in config.providers:
        plain = [name for name in provider.models if not _PATTERN & set(name)]
        for name in () if provider.lacks else [*provider.aliases, *plain]:
            named.setdefault(name, provider.name)
    return named


def target_of(config: Config, name: str) -> Target:
    """Where `name`, which is not one of the configured models, leads.

    Raises ClientError for one that nobody serves, ConfigurationError where a secret is missing.
    """
    target = find_target(config.providers, name)
    if target is None:
        raise unknown(config, name)
    if target.provider.lacks:
        raise _locked(target.provider)
    return target


def _weighted(model: Model, share: float) -> tuple[Target, ...]:
    """The model's usable targets, the one that `share` falls on first."""
    usable = [
        (target, weight or 0.0)
        for target, weight in zip(model.targets, model.weights, strict=True)
        if not target.provider.lacks
    ]
    point = share * sum(weight for _, weight in usable)
    for target, weight in usable:
        if point < weight:
            return (target, *(other for other, _ in usable if other is not target))
        point -= weight
    return tuple(target for target, _ in usable)


def _share(key: str) -> float:
    """A number from 0 up to 1 that is always the same for `key`."""
    return int.from_bytes(hashlib.sha256(key.encode(errors="replace")).digest()[:4]) / 2**32


def unknown(config: Config, name: str) -> ClientError:
    """The answer to a `name` that leads nowhere: it names those that come near."""
    near = difflib.get_close_matches(name, names(config), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(each) for each in near)}?" if near else ""
    message = f"The model '{name[:100]}' does not exist here.{hint}"
    return ClientError(404, "model_not_found", message, param="model")


def _locked(provider: Provider) -> ConfigurationError:
    return ConfigurationError(
        [f"provider '{provider.name}' needs the secret {provider.lacks}, which is not set"]
    )
