"""The programs that BrainScan consists of, and the supervisor that runs them."""
