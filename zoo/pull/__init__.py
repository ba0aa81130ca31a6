"""Downloads releases, and verifies that they are unchanged.

names      NAME@VERSION:QUANT: which version and file it means; pure
machine    this machine as a device, if none is named
catalogs   the catalog of this zoo, of a file, or of an address
accounts   compares the hub's tree, MANIFEST.json, SHA256SUMS and the catalog; pure
arriving   the folder for the files: what is in the way, and where files wait until every check has passed
pulling    the steps of one pull
mirrors    the places that have a release, tried in order
verifying  compares what is on disk or on the hub with all of these
"""
