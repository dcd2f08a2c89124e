"""A job under load and faults of every kind together, and whether it came through unharmed.

``rows`` and ``load`` say what the job is, ``function`` what runs in its workers and ``backend``
what these call; ``plan`` draws what happens, ``faults`` does it to what ``scene`` holds;
``processes`` and ``watch`` look at the processes meanwhile, ``output`` at the files; ``checks``
judges what was found, and ``table`` shows it. ``endurance`` is the run, ``__main__`` its command
line.
"""
