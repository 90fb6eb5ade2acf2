"""Configuration as desired state on etcd: documents, store, mirror, changes; shared by all services."""
