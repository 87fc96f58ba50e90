"""Exports a network of keras.applications as a servable version. Both model packages share this code.

In the order an export runs:

architecture    the properties in which the two models differ
command         the command line
publishing      publishes a version atomically, removes old ones, excludes concurrent exports
record          what a published version was made from
weights         finds the weights on this machine                    (no TensorFlow)
fingerprint     decides whether the newest version is up to date     (no TensorFlow)
export          the steps of one export
network         builds the Keras network and loads its weights
untrained       random weights, for machines without ImageNet weights
fusing          folds batch normalization into convolutions
precision       converts the network to bfloat16, on request
serving_graph   encoded images in, scores out
signature       names of the signature, its input and its output
saved_model     writes the frozen graph as a SavedModel
openvino_ir     writes the same network for OpenVINO
warmup          writes the requests a server replays before it serves the version
verification    compares the written version with the network
progress        prints the steps
errors          the errors of an export
"""
