"""The queue: claims, order, notification, waiting and worker heartbeats.

The rows of `Analysis` are the queue. A message on the broker only saves a worker or a client the wait until its next
poll.
"""
