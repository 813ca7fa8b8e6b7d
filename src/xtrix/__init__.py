"""The core of the gateway: pure Python, without JavaScript, clock, randomness or I/O.

It speaks Chat Completions, Responses and Messages, with clients and with upstreams. The time and
new ids are passed in, data from the network is passed in, and what to do next is returned as a
value. The shell, `edge.py`, does it.
"""

__version__ = "0.2.0"
"""The version in CHANGELOG.md. `/health`, every log line and `system_fingerprint` contain it."""
