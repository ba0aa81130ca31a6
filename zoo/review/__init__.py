"""What a pull request is shown: annotations on its lines, and a report for its review.

``trees.py`` runs git, ``compare.py`` reads two folders, and the others are pure.
"""
