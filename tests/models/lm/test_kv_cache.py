"""A cache with room for what comes is the one that grows."""

import torch
from transformers import DynamicCache

from steelyard.models.lm.kv_cache import with_preallocated_cache


def test_a_cache_with_room_is_the_grown_one() -> None:
    """Two prompts of 3 places, rows 1, 0, 1; two tokens more; then row 0 leaves."""
    torch.manual_seed(0)
    start, *more = (torch.randn(2, rows, 2, size, 4) for rows, size in ((2, 3), (3, 1), (2, 1)))
    grown, roomy = (DynamicCache() for _ in range(2))
    index, stay = torch.tensor([1, 0, 1]), torch.tensor([1, 2])
    for cache in (grown, roomy):
        cache.update(*start, layer_idx=0)
    grown.batch_select_indices(index)
    roomy = with_preallocated_cache(roomy, index, 2)
    for step, new in enumerate(more):
        for one, other in zip(grown.update(*new, 0), roomy.update(*new, 0), strict=True):
            assert torch.equal(one, other)
        if step == 0:
            place = roomy.layers[0].keys.data_ptr()
            for cache in (grown, roomy):
                cache.reorder_cache(stay)
    assert roomy.get_seq_length() == grown.get_seq_length() == 5
    assert roomy.layers[0].keys.data_ptr() != place  # rows left: copied once
    kept = roomy.layers[0].keys.untyped_storage().nbytes()
    assert kept == 2 * 2 * 5 * 4 * 4  # rows, heads, places, width, bytes: no less, no more
