"""The steps of many recipes as tasks: on this machine, on a Ray cluster, and as files for Slurm and Kubernetes."""
