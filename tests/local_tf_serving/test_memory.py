import weakref

from local_tf_serving import memory


class Node:
    def __init__(self) -> None:
        self.itself = self


def test_what_refers_only_to_itself_is_freed() -> None:
    node = weakref.ref(Node())
    memory.trim()
    assert node() is None
