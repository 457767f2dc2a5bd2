"""Very many pictures: cut into shards, a file of results each, made by one process, by several, or by a cluster."""
