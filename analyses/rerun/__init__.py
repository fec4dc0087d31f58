"""Networks of a lake run again on its faces with pixels hidden; shared by several questions.

==================  ============================================================================
experiment          what is hidden, by whose maps, and how, declared before it is made
papers_occlusions   what the paper hid, and means over its models as it took them
chips               the chips that networks were shown, read again
lake_models         the networks that filled the lake, its embeddings, the layer whose maps guide
masks, fills        which pixels are hidden, and what replaces them
gradients           the network's own gradient, as a map to compare with
occluded_faces      faces with pixels hidden, embedded again, in tasks of whole identities
embedding_cache     embeddings that were made before, kept for the questions that ask again
verification        how alike a model finds images, and its threshold
drops               how much less alike hidden faces are
==================  ============================================================================
"""
