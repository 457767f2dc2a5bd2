"""Very many images in shards: a file of results each, made by one process, several, or a cluster, and merged."""
