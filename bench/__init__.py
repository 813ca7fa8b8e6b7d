"""The measurements, and the rivals that this Worker is measured against."""
