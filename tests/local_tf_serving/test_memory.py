import weakref

import pytest

from local_tf_serving import memory


class Node:
    def __init__(self) -> None:
        self.cycle = self


@pytest.mark.slow
def test_an_object_that_refers_to_itself_is_freed() -> None:
    node = weakref.ref(Node())
    memory.trim()
    assert node() is None
