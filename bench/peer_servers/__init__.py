"""The same model behind other servers. Each takes an image as a request's body and answers probabilities as JSON."""
