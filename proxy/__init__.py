"""The HTTP front: answers with the fast model, hands the image to the slow half."""
