"""Whether maps say anything of the network: checks that a map of anything else would fail."""
