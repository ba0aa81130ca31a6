"""The steps of many recipes as tasks: for workers on this machine, and as files for Slurm and Kubernetes."""
