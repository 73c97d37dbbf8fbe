//! What a key group may do: the union of all that it holds, and how it came to hold it.
use std::collections::BTreeSet;

use uuid::Uuid;

use super::Permissions;

/// Through what a key group holds a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It is the group's own, of which there is at most one (document 002).
    Policy(Uuid),
    UserGroup(Uuid),
    /// A policy held in one workspace, or in the whole subscription (document 001).
    Role(Uuid),
}

/// One policy that a key group holds, and through what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub source: Source,
    pub policy: Uuid,
    /// The workspace that it is good for; `None`: the whole subscription.
    pub workspace: Option<Uuid>,
    pub permissions: Permissions,
}

/// Where a caller wants to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No workspace was named: only what is held in the whole subscription counts.
    Subscription,
    Workspace(Uuid),
    /// A workspace was named that is none: nothing is held in it.
    Nowhere,
}

impl Holding {
    pub fn counts_in(&self, place: Place) -> bool {
        match (place, self.workspace) {
            (Place::Nowhere, _) => false,
            (_, None) => true,
            (Place::Workspace(asked), Some(held)) => asked == held,
            (Place::Subscription, Some(_)) => false,
        }
    }
}

/// All that a key group holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access(pub Vec<Holding>);

impl Access {
    /// Whatever any holding grants at this place.
    pub fn permissions(&self, place: Place) -> Permissions {
        Permissions::union(self.at(place).map(|it| &it.permissions))
    }

    pub fn allows(&self, permission: &str, place: Place) -> bool {
        self.why(permission, place).next().is_some()
    }

    /// Every holding that grants it.
    pub fn why(&self, permission: &str, place: Place) -> impl Iterator<Item = &Holding> {
        self.at(place).filter(move |it| it.permissions.contains(permission))
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Holding> {
        self.0.iter().filter(move |it| it.counts_in(place))
    }

    /// Without what comes through `source`.
    pub fn without(&self, source: Source) -> Self {
        self.0.iter().filter(|it| it.source != source).cloned().collect()
    }

    /// The places at which something is held: the whole subscription, then workspaces.
    pub fn places(&self) -> Vec<Place> {
        let workspaces: BTreeSet<Uuid> = self.0.iter().filter_map(|it| it.workspace).collect();
        let workspaces = workspaces.into_iter().map(Place::Workspace);
        std::iter::once(Place::Subscription).chain(workspaces).collect()
    }

    /// What this one may do and `other` may not, at each place; in a workspace only what is not
    /// said for the whole subscription already.
    pub fn beyond(&self, other: &Self) -> Vec<(Place, Permissions)> {
        let everywhere =
            self.permissions(Place::Subscription).without(&other.permissions(Place::Subscription));
        let at = |place| {
            let more = self.permissions(place).without(&other.permissions(place));
            let more = if place == Place::Subscription { more } else { more.without(&everywhere) };
            (place, more)
        };
        self.places().into_iter().map(at).filter(|it| !it.1.is_empty()).collect()
    }
}

impl FromIterator<Holding> for Access {
    fn from_iter<T: IntoIterator<Item = Holding>>(holdings: T) -> Self {
        Self(holdings.into_iter().collect())
    }
}

/// What a client's roles make of it (document 001): never chosen, always derived.
pub fn integration_type<'a>(role_policies: impl IntoIterator<Item = &'a str>) -> &'static str {
    const CI_CD: &str = "CI/CD Integration";
    let is_ci_cd = role_policies.into_iter().any(|it| it.eq_ignore_ascii_case(CI_CD));
    if is_ci_cd { CI_CD } else { "3rd-party Integration" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 4] = ["a:1", "a:2", "b:1", "b:2"];

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn set(bits: u8) -> Permissions {
        (0..4).filter(|it| bits & (1 << it) != 0).map(|it| NAMES[it]).collect()
    }

    fn holding(source: u128, workspace: Option<u128>, bits: u8) -> Holding {
        let (source, workspace) = (Source::Role(id(source)), workspace.map(id));
        Holding { source, policy: id(99), workspace, permissions: set(bits) }
    }

    fn accesses() -> impl Strategy<Value = Access> {
        let one = (0..4_u128, prop::option::of(0..2_u128), 0..16_u8);
        prop::collection::vec(one.prop_map(|(a, b, c)| holding(a, b, c)), 0..6).prop_map(Access)
    }

    fn places() -> impl Strategy<Value = Place> {
        prop_oneof![
            Just(Place::Subscription),
            Just(Place::Nowhere),
            (0..3_u128).prop_map(|it| Place::Workspace(id(it)))
        ]
    }

    /// The rule once more, as a loop over all that is held.
    fn brute_force(it: &Access, name: &str, place: Place) -> bool {
        let mut allowed = false;
        for held in &it.0 {
            let counts = match place {
                Place::Subscription => held.workspace.is_none(),
                Place::Workspace(asked) => held.workspace.is_none_or(|it| it == asked),
                Place::Nowhere => false,
            };
            allowed |= counts && held.permissions.as_str().split(' ').any(|it| it == name);
        }
        allowed
    }

    proptest! {
        #[test]
        fn whatever_any_holding_grants_the_group_may_do_and_nothing_else(it in accesses(), place in places()) {
            for name in NAMES {
                let expected = brute_force(&it, name, place);
                prop_assert_eq!(it.allows(name, place), expected);
                prop_assert_eq!(it.permissions(place).contains(name), expected);
                prop_assert_eq!(it.why(name, place).count() > 0, expected);
            }
        }

        #[test]
        fn the_order_of_holdings_and_doubles_change_nothing(it in accesses(), place in places()) {
            let mut other = it.0.clone();
            other.reverse();
            other.extend(it.0.clone());
            prop_assert_eq!(Access(other).permissions(place), it.permissions(place));
        }

        #[test]
        fn taking_something_away_never_adds(it in accesses(), source in 0..4_u128, place in places()) {
            let less = it.without(Source::Role(id(source)));
            prop_assert!(less.permissions(place).without(&it.permissions(place)).is_empty());
            prop_assert!(less.beyond(&it).is_empty());
        }

        /// What a difference tells is exactly what is true before and not after, at each place.
        #[test]
        fn a_difference_tells_everything_and_nothing_twice(before in accesses(), after in accesses()) {
            let lost = before.beyond(&after);
            for place in [Place::Subscription, Place::Workspace(id(0)), Place::Workspace(id(1))] {
                for name in NAMES {
                    let told = lost.iter().filter(|(at, names)| {
                        (*at == place || *at == Place::Subscription) && names.contains(name)
                    });
                    let gone = before.allows(name, place) && !after.allows(name, place);
                    let told = told.count();
                    prop_assert!(told <= 1, "{name} is told {told} times");
                    if gone {
                        prop_assert_eq!(told, 1, "{} at {:?}", name, place);
                    }
                    let here = lost.iter().any(|(at, names)| *at == place && names.contains(name));
                    prop_assert!(!here || gone, "{name} is not lost at {place:?}");
                }
            }
        }
    }

    /// Document 004: a data group and an action group, and a service that asks for both.
    #[test]
    fn data_group_and_action_group_are_needed_both() {
        let data = holding(1, None, 0b0001);
        let action = holding(2, None, 0b0100);
        let both = Access(vec![data.clone(), action.clone()]);
        let passes =
            |it: &Access| ["a:1", "b:1"].iter().all(|name| it.allows(name, Place::Subscription));
        assert!(passes(&both));
        assert!(!passes(&Access(vec![data])) && !passes(&Access(vec![action])));
        assert!(!passes(&Access::default()));
    }

    #[test]
    fn a_role_counts_in_its_own_workspace_only() {
        let it = Access(vec![holding(1, Some(1), 0b0001), holding(2, None, 0b0010)]);
        assert_eq!(it.permissions(Place::Workspace(id(1))), set(0b0011));
        assert_eq!(it.permissions(Place::Workspace(id(2))), set(0b0010));
        assert_eq!(it.permissions(Place::Subscription), set(0b0010));
        assert!(it.permissions(Place::Nowhere).is_empty());
    }

    #[test]
    fn a_role_makes_an_integration_one_of_ci_cd_and_any_other_is_of_a_third_party() {
        assert_eq!(integration_type([]), "3rd-party Integration");
        assert_eq!(integration_type(["DevOps Admin"]), "3rd-party Integration");
        assert_eq!(integration_type(["DevOps Admin", "CI/CD Integration"]), "CI/CD Integration");
    }
}
