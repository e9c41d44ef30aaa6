use super::*;

#[test]
fn every_tile_is_made_once_by_any_number_of_threads() {
    for (threads, tiles, least) in
        [(1, 5, 9), (2, 5, 9), (3, 2, 1), (4, 9, 9), (2, 0, 1), (2, 5, 1), (2, 100, 1), (3, 100, 30), (2, 17, 2)]
    {
        let workers = Workers::new();
        let mut result = vec![0_usize; tiles * 3];
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| workers.worker_loop());
            }
            while workers.threads() < threads {
                std::thread::yield_now();
            }
            in_fine_parts(&workers, least, Tiles { data: &mut result, unit: 3 }, &|first, piece| {
                for (at, value) in piece.data.iter_mut().enumerate() {
                    *value += first * 3 + at + 1;
                }
            });
            workers.stop();
        });
        assert!(
            result.iter().enumerate().all(|(at, &value)| value == at + 1),
            "{threads}, {tiles}, {least}: {result:?}"
        );
    }
}

/// SmolLM2-135M's 72 tiles of a layer's output used to be 14 runs of 5 and one of 2: 40 tiles for one of two threads, 32 for the other.
#[test]
fn threads_that_are_equally_fast_have_equally_much_to_do() {
    for (tiles, parts, threads) in [(72, 16, 2), (120, 16, 2), (72, 16, 4), (384, 16, 4), (73, 15, 3), (9, 2, 2)] {
        let cuts = Cuts::new(tiles, parts);
        assert_eq!(cuts.start(parts), tiles);
        let of = |thread| -> usize {
            (thread..parts).step_by(threads).map(|part| cuts.start(part + 1) - cuts.start(part)).sum()
        };
        let all: Vec<usize> = (0..threads).map(of).collect();
        assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{tiles} in {parts}: {all:?}");
    }
}
