"""The network of a recipe, and what a network is made of.

Rule: builds and describes Keras models; fits none.
"""
