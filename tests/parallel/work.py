"""Work for other processes: small functions in a module that loads fast."""

import os
import threading
import time


def identify(chunk):
    """The chunk, and the process that had it."""
    time.sleep(0.01)
    return chunk, os.getpid()


def meet(folder_and_number):
    """This process, once as many of them have come as are awaited."""
    folder, number = folder_and_number
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid()


def late_if_even(number):
    """The number itself, after a moment if it is even: later chunks are done first."""
    time.sleep(0.05 * (number % 2 == 0))
    return number


def raise_error(error):
    """Raise what is given, if it is an error."""
    if error is not None:
        raise error


def die(number):
    """End the process without an answer, as one that is out of memory does; for 0, answer."""
    if number:
        os._exit(number)
    return number


class Counting:
    """Counts its calls, in the process where it is called."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, chunk):
        self.n_calls += 1
        return os.getpid(), self.n_calls


class LostOnTheWay:
    """Work that cannot be unpacked where it arrives."""

    def __reduce__(self):
        return os._exit, (3,)

    def __call__(self, chunk):
        return chunk


def die_while_answering(delay):
    """An answer so large that sending it takes a while; the process ends some seconds from now. For 0, a small one."""
    if not delay:
        return b""
    threading.Timer(delay, os._exit, (1,)).start()
    return bytes(50_000_000)


class CannotTravel:
    """What cannot be packed."""

    def __reduce__(self):
        raise TypeError("it stays where it is")


def answer_that_cannot_travel(chunk):
    """An answer that cannot be packed."""
    return CannotTravel()


def die_once(path_and_whether):
    """The name of a path; the first time that it is told to, end the process instead."""
    path, dies = path_and_whether
    if dies and not path.exists():
        path.touch()
        os._exit(1)
    return path.name
