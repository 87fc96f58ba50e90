"""Makes models servable: `python -m model_export SOURCE --name NAME`. docs/your-own-models.md is a walk through it.

In the order an export runs:

applications     the networks of keras.applications and what they expect
recipe           how a version is made from its source
arguments        the command line                                     (no TensorFlow, as all above)
command          exports unless the newest version is up to date
labels           reads and counts labels
publishing       publishes a version atomically, removes old ones, excludes concurrent exports
record           what a published version was made from
weights          finds weights on this machine, and identifies them   (no TensorFlow)
fingerprint      decides whether the newest version is up to date     (no TensorFlow)
advice           what to set, so that the services serve the version well
export           the steps of one export
network          builds a network of keras.applications and loads its weights
untrained        random weights, for machines without ImageNet weights
own_shape        the size that the shape of one's own model says
own_keras        loads a .keras file
own_saved_model  loads a SavedModel of one's own
onnx_model       turns an ONNX file into an IR
source           a loaded source, as functions of tensors
fusing           folds batch normalization into convolutions
precision        converts a network to bfloat16, on request
scaling          pixels to the range that the source expects
serving_graph    encoded images in, scores out
signature        names of the signature, its input and its output
saved_model      writes the graph as a SavedModel
openvino_ir      writes the same model for OpenVINO
examples         photographs and texts to verify with
verification     compares the written version with the source
warmup           writes the requests a server replays before it serves the version
progress         prints the steps
errors           the errors of an export
"""
