use super::*;

#[test]
fn every_tile_is_made_once_by_any_number_of_threads() {
    for (threads, tiles) in [(1, 5), (2, 5), (3, 2), (4, 9), (2, 0)] {
        let workers = Workers::new();
        let mut result = vec![0_usize; tiles * 3];
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| workers.worker_loop());
            }
            while workers.threads() < threads {
                std::thread::yield_now();
            }
            in_parts(&workers, Tiles { data: &mut result, unit: 3 }, &|first, piece| {
                for (at, value) in piece.data.iter_mut().enumerate() {
                    *value += first * 3 + at + 1;
                }
            });
            workers.stop();
        });
        assert!(result.iter().enumerate().all(|(at, &value)| value == at + 1), "{threads}, {tiles}: {result:?}");
    }
}
