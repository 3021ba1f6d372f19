"""Running installations, servers, clients and files to upload, for tests and benchmarks."""
