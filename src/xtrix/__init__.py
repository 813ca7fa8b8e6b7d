"""The gateway's pure core: Chat Completions, Responses and Messages, for clients and upstreams.

Nothing in this package knows JavaScript, reads a clock, draws a random number or opens a
connection: time and ids are handed in, network data is pushed in, and what to do next comes out
as a value. The shell that does it is `edge.py`.
"""

__version__ = "0.2.0"
"""What CHANGELOG.md calls this. `/health`, every log line and `system_fingerprint` say it."""
