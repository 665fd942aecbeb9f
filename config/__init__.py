"""The schema of secrets.yml: one frozen model a section, loaded once and handed out by section."""
