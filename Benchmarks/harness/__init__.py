"""What `run` is made of: servers, scenarios, and the means to start, sample and report them."""
