"""The `skysail` command."""
