"""Finds the targets of a model's name, and lists the names that exist.

A name is looked up among the configured models, then among the aliases and plain names of every
provider, then as `provider/model`, then in the providers' patterns. The first match counts.
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
    """The targets of `request`, in order. Raises ClientError if no provider serves its model.

    If the targets have weights, the request's `session` decides which comes first, so that a
    conversation finds its prompt cache again. Without a session `chance` decides, a number from 0
    up to 1.
    """
    name = request.model
    model = config.model(name)
    if model is None:
        return Plan((target_of(config, name),))
    usable = [target for target in model.targets if not target.provider.missing_secret]
    if not usable:
        raise _locked(model.targets[0].provider)
    share = _share(request.session) if request.session else chance
    return Plan(_weighted(model, share), model.deadline, model.first_byte, is_choice=True)


def endpoint_plan(config: Config, name: str, endpoint: Endpoint, chance: float) -> Plan:
    """The targets of a call of `endpoint` for the model `name`. Raises ClientError.

    Of a model with several targets, only those count that have the endpoint. If the answers of two
    models cannot be mixed, only those count that are the same model as the first.
    """
    model = config.model(name)
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
    if all(target.provider.missing_secret for target, _, _ in having):
        raise _locked(having[0][0].provider)
    targets, weights, _ = zip(*having, strict=True)
    ordered = _weighted(model._replace(targets=targets, weights=weights), chance)
    return Plan(ordered, model.deadline, model.first_byte, is_choice=True)


def _endpoint_target(config: Config, name: str, endpoint: Endpoint) -> Target:
    """The target of `name` among the providers that have `endpoint`. Raises ClientError."""
    having = tuple(it for it in config.providers if it.has(endpoint.name))
    target = find_target(having, name)
    if target is None or not target.provider.has(endpoint.name, target.model):
        known = find_target(config.providers, name)
        raise _lacking(name, endpoint) if known else unknown(config, name)
    if target.provider.missing_secret:
        raise _locked(target.provider)
    return target


def _lacking(name: str, endpoint: Endpoint) -> ClientError:
    message = f"No provider of the model '{name[:100]}' has {endpoint.path} here."
    return ClientError(404, "model_not_found", message, param="model")


def names(config: Config) -> dict[str, str]:
    """Every model name that is configured, and its owner. Patterns are not names."""
    named: dict[str, str] = {}
    for model in config.models:
        named.setdefault(model.id, "xtrix")
    for provider in config.providers:
        plain = [name for name in provider.models if not _PATTERN & set(name)]
        for name in () if provider.missing_secret else [*provider.aliases, *plain]:
            named.setdefault(name, provider.name)
    return named


def target_of(config: Config, name: str) -> Target:
    """The target of `name`, which is not a configured model.

    Raises ClientError if no provider serves it, and ConfigurationError if a secret is missing.
    """
    target = find_target(config.providers, name)
    if target is None:
        raise unknown(config, name)
    if target.provider.missing_secret:
        raise _locked(target.provider)
    return target


def _weighted(model: Model, share: float) -> tuple[Target, ...]:
    """The model's usable targets. `share` decides which comes first."""
    usable = [
        (target, weight or 0.0)
        for target, weight in zip(model.targets, model.weights, strict=True)
        if not target.provider.missing_secret
    ]
    point = share * sum(weight for _, weight in usable)
    for target, weight in usable:
        if point < weight:
            return (target, *(other for other, _ in usable if other is not target))
        point -= weight
    return tuple(target for target, _ in usable)


def _share(key: str) -> float:
    """A number from 0 up to 1, always the same for the same `key`."""
    return int.from_bytes(hashlib.sha256(key.encode(errors="replace")).digest()[:4]) / 2**32


def unknown(config: Config, name: str) -> ClientError:
    """The error for an unknown model `name`. It names similar models."""
    near = difflib.get_close_matches(name, names(config), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(each) for each in near)}?" if near else ""
    message = f"The model '{name[:100]}' does not exist here.{hint}"
    return ClientError(404, "model_not_found", message, param="model")


def _locked(provider: Provider) -> ConfigurationError:
    return ConfigurationError(
        [f"provider '{provider.name}' needs the secret {provider.missing_secret}, which is not set"]
    )
