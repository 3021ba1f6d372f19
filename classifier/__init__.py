"""BrainScan: scans, analyses and the people who use them."""
