use std::sync::Arc;

use super::*;

#[test]
fn holding_more_samples_than_the_limit_is_an_error() {
    let budget = Arc::new(Budget::new(u64::MAX));
    let limits = Limits::new(&budget, 10, None, None);
    let mut loan = Loan::new(&limits);
    loan.add(10, 0).unwrap();
    limits.room_for(0).unwrap();
    limits.has_read(3);
    let error = loan.add(1, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Execution);
    assert_eq!(
        error.to_string(),
        "query processing would load too many samples into memory in query execution: more than \
         10 (--query-max-samples) after 1 series with 3 samples were read"
    );
    loan.give_back(6, 0);
    loan.add(6, 0).unwrap();
    drop(loan);
    assert_eq!((limits.samples_held(), limits.samples_peak()), (0, 10));
}

#[test]
fn bytes_are_those_of_all_queries() {
    let budget = Arc::new(Budget::new(4680));
    let one = Limits::new(&budget, 10, None, None);
    let two = Limits::new(&budget, 10, None, None);
    let mut held = Loan::new(&one);
    held.add(0, 3000).unwrap();
    let mut other = Loan::new(&two);
    other.add(0, 1000).unwrap();
    assert_eq!(
        other.add(0, 97).unwrap_err().to_string(),
        "query processing would use too much memory: 97 bytes more, where this query holds 1000 \
         bytes and others 2.9 KiB of the 4.6 KiB for all queries together (--query-max-bytes), \
         after 0 series with 0 samples were read"
    );
    // A small query has an eighth that is not for large ones.
    let three = Limits::new(&budget, 10, None, None);
    let mut small = Loan::new(&three);
    small.add(0, 100).unwrap();
    assert!(small.add(0, 100).is_err());
    drop(small);
    let answer = held.into_reservation(&budget);
    assert_eq!((budget.bytes_held(), answer.bytes()), (4000, 3000));
    assert_eq!(answer.clone().bytes(), 0);
    drop(answer);
    other.add(0, 3095).unwrap();
    drop(other);
    assert_eq!((budget.bytes_held(), two.bytes_peak()), (0, 4095));
}

#[test]
fn a_loan_follows_buffers_that_grow() {
    let budget = Arc::new(Budget::new(1000));
    let limits = Limits::new(&budget, 1000, None, None);
    let mut loan = Loan::new(&limits);
    loan.grow_to(400).unwrap();
    loan.grow_to(300).unwrap();
    loan.set_samples(500).unwrap();
    loan.set_samples(20).unwrap();
    assert_eq!((limits.samples_held(), limits.bytes_held()), (20, 400));
    assert!(loan.grow_to(1001).is_err());
    let mut other = Loan::new(&limits);
    other.absorb(loan);
    assert_eq!(other.bytes(), 400);
    drop(other);
    assert_eq!((limits.samples_held(), limits.bytes_held()), (0, 0));
}

#[test]
fn time_and_cancellation_end_a_query() {
    let budget = Arc::new(Budget::new(1));
    let flag = AtomicBool::new(false);
    let limits = Limits::new(&budget, 1, None, Some(&flag));
    limits.check().unwrap();
    flag.store(true, Ordering::Relaxed);
    assert_eq!(limits.check().unwrap_err().kind(), ErrorKind::Canceled);
    let late = Limits::new(&budget, 1, Some(Duration::ZERO), None);
    let error = late.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("--query-timeout"), "{error}");
}

#[test]
fn memory_is_counted_as_the_allocator_takes_it() {
    assert_eq!(
        [0, 1, 24, 25, 40, 41].map(heap_bytes),
        [0, 32, 32, 48, 48, 64]
    );
    assert_eq!(bytes_of::<f64>(usize::MAX), (usize::MAX - 15));
}
