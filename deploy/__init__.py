"""How the system is started: on one terminal (run), by systemd, on Kubernetes."""
