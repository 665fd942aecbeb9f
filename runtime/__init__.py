"""What every service needs and no domain: settings, logging, errors, server lifecycle, storage, tasks."""
