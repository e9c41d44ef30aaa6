use super::*;

const SHAPE: Shape = Shape { layers: 2, kv_heads: 3, head_dim: 8, format: Format::I8 };

/// Writes `mark` into all of the last page of a sequence, which it grows into.
fn mark(cache: &mut KvCache, sequence: &Sequence, page: usize, mark: u8) {
    let bytes = SHAPE.page_bytes();
    let start = sequence.table()[page] as usize * bytes;
    assert_eq!(cache.counts[sequence.table()[page] as usize], 1);
    cache.memory.as_mut()[start..start + bytes].fill(mark);
}

/// The marks of a sequence's pages.
fn marks(cache: &KvCache, sequence: &Sequence) -> Vec<u8> {
    let bytes = SHAPE.page_bytes();
    let page = |&page: &u32| {
        let page = &cache.memory()[page as usize * bytes..][..bytes];
        assert!(page.iter().all(|&byte| byte == page[0]), "a page is torn: {page:?}");
        page[0]
    };
    sequence.table().iter().map(page).collect()
}

fn grown(cache: &mut KvCache, sequence: &mut Sequence, positions: usize) {
    cache.reserve(sequence, positions).unwrap();
    cache.advance(sequence, positions);
}

#[test]
fn shared_pages_are_copied_before_they_are_written() {
    let mut cache = KvCache::new(SHAPE, 6);
    let [mut first, mut second] = [0; 2].map(|_| Sequence::with_capacity(128));
    grown(&mut cache, &mut first, 40);
    mark(&mut cache, &first, 0, 1);
    mark(&mut cache, &first, 1, 2);
    cache.fork(&first, 40, &mut second);
    assert_eq!((second.length(), cache.pages_free()), (40, 4));
    // The next position lies in the second page, which both hold: only that one is copied.
    grown(&mut cache, &mut second, 1);
    assert_eq!((marks(&cache, &second), cache.pages_free()), (vec![1, 2], 3));
    mark(&mut cache, &second, 1, 9);
    assert_eq!((marks(&cache, &first), marks(&cache, &second)), (vec![1, 2], vec![1, 9]));
    assert_eq!(first.table()[0], second.table()[0]);
    cache.release(&mut first);
    assert_eq!((marks(&cache, &second), cache.pages_free()), (vec![1, 9], 4));
    cache.release(&mut second);
    assert_eq!(cache.pages_free(), 6);
}

#[test]
fn a_full_cache_says_what_is_missing_and_changes_nothing() {
    let mut cache = KvCache::new(SHAPE, 3);
    let mut sequence = Sequence::with_capacity(256);
    grown(&mut cache, &mut sequence, 64);
    let full = cache.reserve(&mut sequence, 65).unwrap_err();
    assert_eq!(full, Full { pages: 3, wanted: 2 });
    assert!(full.to_string().contains("3 pages (96 positions)"), "{full}");
    assert_eq!((sequence.length(), sequence.table().len(), cache.pages_free()), (64, 2, 1));
    cache.reserve(&mut sequence, 32).unwrap();
}

#[test]
fn drafts_are_forgotten() {
    let mut cache = KvCache::new(SHAPE, 4);
    let mut sequence = Sequence::with_capacity(128);
    grown(&mut cache, &mut sequence, 70);
    cache.truncate(&mut sequence, 64);
    assert_eq!((sequence.length(), sequence.table().len(), cache.pages_free()), (64, 2, 2));
    cache.truncate(&mut sequence, 100);
    assert_eq!(sequence.length(), 64);
}

#[test]
#[should_panic(expected = "a shared page is not written")]
fn nobody_writes_into_a_shared_page() {
    let mut cache = KvCache::new(SHAPE, 4);
    let [mut first, mut second] = [0; 2].map(|_| Sequence::with_capacity(64));
    grown(&mut cache, &mut first, 10);
    cache.fork(&first, 10, &mut second);
    let _memory = cache.memory_for(&second);
}
