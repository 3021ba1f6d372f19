"""The queue: claims, order, notification, waiting and worker heartbeats. The rows of Analysis hold it."""
