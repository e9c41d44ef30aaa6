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
