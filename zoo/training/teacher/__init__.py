"""The teacher's answers for the training rows: asked once, kept in a cache, read row by row.

``question`` is what is asked, ``source`` who answers it, ``arranging`` which rows are read together, ``alongside`` how
the threads of a processor share them, ``codec`` and ``shards`` how answers are kept, ``index`` what is there, ``cache``
all of it together, and ``old`` reads the caches of earlier versions.
"""

from zoo.training.teacher.cache import Share, TeacherCache, cache_teacher
from zoo.training.teacher.question import Question, cache_digest
from zoo.training.teacher.targets import Targets, top_of

__all__ = ["Question", "Share", "Targets", "TeacherCache", "cache_digest", "cache_teacher", "top_of"]
