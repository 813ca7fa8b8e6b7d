"""An OpenAI-compatible Chat Completions gateway, as a pure core.

Nothing in this package knows JavaScript, reads a clock, draws a random number or opens a
connection: time and ids are handed in, network data is pushed in, and what to do next comes out
as a value. The shell that does it is `edge.py`.
"""

__version__ = "0.1.0"
