"""tinydeploy.lock: what boards reported of the models that were deployed to them, and whether it still holds."""
