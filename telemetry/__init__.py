"""What is told of a running process to those who watch it: metrics, in the form that Prometheus reads."""
