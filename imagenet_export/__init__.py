"""What the two exports share: a network of keras.applications becomes a servable version, published at once.

architecture    what differs between the two
weights         which weights this machine has           (no TensorFlow)
fingerprint     is the newest version still the right one (no TensorFlow)
network         the network, with weights in it
fusing          batch normalisation folded into convolutions
precision       bfloat16, for who asks for it
serving_graph   encoded images in, scores out
saved_model     the graph without variables, as a file
openvino_ir     the same network for the engine without TensorFlow
publishing      a version appears whole or not at all
command         the command line
"""
