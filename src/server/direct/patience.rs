//! How long a connection is waited for.
use std::time::Duration;

/// How long the rest of a head, and the first one of a connection, may take to come; and an answer to be taken.
pub const HEAD_LATEST: Duration = Duration::from_secs(5);
/// How long a connection may be idle at least; at most twice as long.
pub const IDLE_LATEST: Duration = Duration::from_secs(75);

/// How long a connection is waited for: whatever comes, no timer is set anew for each call.
pub struct Patience {
    /// A head has to come before the limit.
    pub is_awaited: bool,
    /// Else: one came since the limit was set.
    was_used: bool,
}

impl Patience {
    /// Until [`HEAD_LATEST`].
    pub const NEW: Self = Self { is_awaited: true, was_used: false };

    /// After something came, and the beginning of a head perhaps is left. Gives the new limit, from now on.
    pub fn after(&mut self, answered: usize, is_part: bool) -> Option<Duration> {
        let limit = match (self.is_awaited, is_part) {
            (true, true) if answered == 0 => None,
            (_, true) => Some(HEAD_LATEST),
            (true, false) => Some(IDLE_LATEST),
            (false, false) => None,
        };
        *self = Self { is_awaited: is_part, was_used: !self.is_awaited };
        limit
    }

    /// The limit is over. Gives a new one, if there is to be one.
    pub fn over(&mut self) -> Option<Duration> {
        let goes_on = self.was_used && !self.is_awaited;
        self.was_used = false;
        goes_on.then_some(IDLE_LATEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes (how many calls, and whether a beginning is left), or `None`: the limit is over. And the new
    /// limit, if there is one.
    type Moment = (Option<(usize, bool)>, Option<Duration>);

    #[test]
    fn a_connection_is_waited_for_as_long_as_it_is_said() {
        let (head, idle) = (Some(HEAD_LATEST), Some(IDLE_LATEST));
        let stories: [&[Moment]; 6] = [
            // Nothing comes.
            &[(None, None)],
            // One call, and no more.
            &[(Some((1, false)), idle), (None, None)],
            // Calls until some time after the first limit: twice as long at most.
            &[(Some((1, false)), idle), (Some((2, false)), None), (None, idle), (None, None)],
            // Pieces of one head do not make it longer.
            &[(Some((0, true)), None), (Some((0, true)), None), (None, None)],
            // A head that begins on an idle connection, and ends, and begins.
            &[
                (Some((1, false)), idle),
                (Some((0, true)), head),
                (Some((0, true)), None),
                (Some((1, false)), idle),
                (Some((1, true)), head),
                (None, None),
            ],
            // Always a part of the next one.
            &[(Some((3, true)), head), (Some((3, true)), head), (Some((1, false)), idle)],
        ];
        for story in stories {
            let mut patience = Patience::NEW;
            for (n, (came, limit)) in story.iter().enumerate() {
                let new = match *came {
                    Some((answered, is_part)) => patience.after(answered, is_part),
                    None => patience.over(),
                };
                assert_eq!(new, *limit, "{n} of {story:?}");
            }
        }
    }
}
