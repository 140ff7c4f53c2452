"""What the outputs of an exported graph are called; whatever serves finds them by these names. The input has the name of its keras.Input."""

#: What the network answers, by its task: (batch, classes) or (batch, 1).
PROBABILITIES, VALUE = "probabilities", "value"
#: What goes into its last Dense layer, (batch, features).
EMBEDDING = "embedding"
