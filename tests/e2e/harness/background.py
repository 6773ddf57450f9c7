"""Work in a thread beside a test."""

import threading


class Background:
    """
    Runs work() in a thread during the block. work() returns soon after `ending` is set. The end of the block raises the
    exception that ended work().
    """

    def __init__(self):
        self.failure = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *rest):
        self.ending.set()
        self.thread.join()
        if kind is None and self.failure:
            raise self.failure

    def _run(self):
        try:
            self.work()
        except BaseException as failure:  # raised at the end of the block
            self.failure = failure
