"""Every promise as a drill: a fault on a live cluster, watched by probes, reported in seconds and lost writes."""
