//! SIGTERM and SIGINT end the daemon in order; a second one ends it at once.

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::health;
use crate::sources::stop::Stop;

/// Requests `stop` at the first SIGTERM or SIGINT.
pub(super) fn on_signal(runtime: &Runtime, stop: Stop) {
    let entered = runtime.enter();
    let (terminate, interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!("signals cannot be caught ({error}); the daemon will not end in order");
            return;
        }
    };
    drop(entered);
    runtime.spawn(async move {
        let (mut terminate, mut interrupt) = (terminate, interrupt);
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        tracing::info!("stopping");
        health::stopping();
        stop.request();
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        tracing::warn!("stopped at once by a second signal; what was not delivered is lost");
        std::process::exit(1);
    });
}
