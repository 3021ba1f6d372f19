"""BrainScan: scans, analyses, and the people who look at them."""
