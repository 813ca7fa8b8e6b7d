"""What development needs and the Worker never imports: set-up, the local runtime and model."""
