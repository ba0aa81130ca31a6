"""Fetching releases and looking whether they are still what they were.

names      NAME@VERSION:QUANT, the version and the file that it means; pure
machine    this machine as a device, when none is named
catalogs   the catalog of this zoo, of a file, or of an address
agreement  hub's tree, MANIFEST.json, SHA256SUMS and catalog against each other; pure
pulling    the walk of one pull
verifying  what is on disk or on the hub against all of these
"""
