use super::*;

#[test]
fn a_full_queue_that_drops_the_oldest_keeps_the_latest_and_counts() {
    let queue = Queue::new(2, WhenFull::DropOldest);
    for item in 0..5 {
        queue.push(item).expect("an open queue that drops never refuses");
    }
    assert_eq!(queue.pop(Duration::ZERO), Ok(3));
    assert_eq!(queue.pop(Duration::ZERO), Ok(4));
    assert_eq!(queue.pop(Duration::ZERO), Err(Empty::TimedOut));
    assert_eq!(queue.dropped(), 3);
}

#[test]
fn a_full_queue_that_refuses_hands_the_item_back() {
    let queue = Queue::new(1, WhenFull::Refuse);
    assert_eq!(queue.push('a'), Ok(()));
    assert_eq!(queue.push('b'), Err('b'));
    assert_eq!((queue.len(), queue.dropped()), (1, 1));
}

#[test]
fn closing_wakes_a_waiter_and_lets_the_rest_be_drained() {
    let queue = Queue::new(4, WhenFull::Refuse);
    queue.push(1).expect("open");
    queue.close();
    assert_eq!(queue.push(2), Err(2));
    assert_eq!(queue.pop(Duration::from_secs(5)), Ok(1));
    assert_eq!(queue.pop(Duration::from_secs(5)), Err(Empty::Closed));
}
