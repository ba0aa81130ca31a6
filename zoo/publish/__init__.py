"""From a frozen release folder to a hub: a plan, a journal, a verified commit per repository, and the tag last."""
