"""Programs for development, which the Worker never imports: set-up, the local runtime and model."""
