"""The protocols by name, and by the dialect that a provider's row gives."""
