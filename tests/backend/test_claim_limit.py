from backend.claim_limit import ClaimLimit


def test_a_claim_whose_reply_was_lost_makes_the_next_ones_smaller_but_never_empty() -> None:
    limit = ClaimLimit(max_jobs=8, max_bytes=1_600)
    assert (limit.jobs, limit.bytes) == (8, 1_600)
    sizes = []
    for _ in range(4):
        limit.shrink()
        sizes.append((limit.jobs, limit.bytes))
    assert sizes == [(2, 400), (1, 100), (1, 100), (1, 100)]


def test_claims_grow_back_to_the_limit() -> None:
    limit = ClaimLimit(max_jobs=8, max_bytes=1_600)
    limit.shrink()
    sizes = []
    for _ in range(4):
        limit.grow()
        sizes.append((limit.jobs, limit.bytes))
    assert sizes == [(4, 800), (8, 1_600), (8, 1_600), (8, 1_600)]
