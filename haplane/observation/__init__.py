"""What is known before anything is decided: looking, waiting, refusing, and how the cluster is afterwards."""
