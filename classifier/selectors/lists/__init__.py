"""Lists and counts of scans whose cost does not depend on how many scans there are.

A person sees their own scans and those of their teams. Each of these keys has an index in the order of the lists, for
all scans and for each facet (`classifier.models.scan_index.Facet`). A list takes the first rows of each index range
that matches, and merges them: one statement, however deep the page, however rare the match. The rows are then loaded
through `visible_scans`, and those found by their result only if it is open: permissions and seals do not depend on
this.
"""
