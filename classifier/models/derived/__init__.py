"""The triggers that keep facets, counts, and searchable texts of scans in step, and the statements that rebuild them.

A database trigger runs in the transaction of the change, whatever makes the change: a service, a worker, the deletion
of a team, or a statement typed by hand.
"""
