"""The measurements, and the rivals that the Worker is compared with."""
