//! Why a rule refuses what was asked. One variant per rule; the sentence is for the person who asked.

/// A rule that forbids what was asked. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The end must be after the start.")]
    PeriodEndsBeforeItStarts,
    #[error("The end must lie in the future. Deactivate or revoke it if it shall end now.")]
    EndInThePast,
    #[error("Use a year up to 9999.")]
    YearOutOfRange,
    #[error("Keys of this subscription may live for {days} days at most.")]
    LifetimeTooLong { days: i32 },
    #[error("Keys of this subscription must have an end.")]
    MustExpire,
    #[error("It is revoked, and stays revoked. Make a new one instead.")]
    Revoked,
    #[error("This key has ended. Reactivate it with a new active period instead.")]
    Ended,
    #[error("This key is deactivated. Reactivate it with a new active period instead.")]
    Deactivated,
    #[error(
        "The expiry of this secret has passed, so it can no longer be changed. Make a new one."
    )]
    SecretEnded,
    #[error(
        "A revoked secret stays dead. Send a new client_secret to make the access valid again."
    )]
    SecretStaysRevoked,
    #[error("This client has had this secret before. Choose another one.")]
    SecretUsedBefore,
    #[error("A client secret is not deactivated. Revoke it if it shall end now.")]
    SecretsAreRevoked,
    #[error("This key already has 2 active secrets. Revoke one before you make another.")]
    TwoActiveSecrets,
    #[error("This key is already deactivated.")]
    AlreadyDeactivated,
    #[error("Only a deactivated or expired key can be reactivated.")]
    NothingToReactivate,
    #[error("It is not active, so there is nothing to rotate. Make a new one instead.")]
    NothingToRotate,
    #[error("It was confirmed as saved or used, so it cannot be replaced. Rotate it instead.")]
    NotReplaceable,
    #[error("It never ends, so there is nothing to extend.")]
    NeverEnds,
    #[error("It ends later than that already, and an extension shortens nothing.")]
    EndsLater,
    #[error("It was changed meanwhile, so nothing was done to it. Look at it once more.")]
    KeyChanged,
    #[error("A key with this value already exists.")]
    DuplicateKey,
    #[error("A {what} with this name already exists.")]
    NameTaken { what: &'static str },
    #[error("Another workspace has this short name.")]
    ShortNameTaken,
    #[error("This role is there already.")]
    RoleIsThere,
    #[error("This short name is taken by another subscription.")]
    SlugTaken,
    #[error("The key group has changed meanwhile. Look at it once more.")]
    GroupChanged,
    #[error("Somebody changed this meanwhile. Look at it once more.")]
    ChangedMeanwhile,
    #[error("Keys of this subscription need a policy. Choose one for the key group.")]
    PolicyRequired,
    #[error("What would be deleted has changed meanwhile, so nothing was deleted. Look once more.")]
    DoomedChanged,
    #[error("This edit was undone already.")]
    AlreadyUndone,
    #[error("An edit can be undone for 10 minutes, and these are over.")]
    TooLateToUndo,
    #[error("It was changed again since, so this edit can no longer be undone.")]
    ChangedSinceEdit,
    #[error("This subscription has {most} {what}, which is as many as it can have.")]
    TooMany { most: usize, what: &'static str },
    #[error("You have {most} personal keys, which is as many as one person can have. Delete one.")]
    TooManyPersonalKeys { most: usize },
    #[error("Your user groups have more and longer names than one personal key can hold.")]
    PersonalKeyTooLong,
    #[error(
        "You are in no subscription, so a key of yours would open nothing. Ask to be invited to one."
    )]
    MemberOfNothing,
    #[error("This subscription is suspended. Nothing can be changed in it.")]
    SubscriptionSuspended,
    #[error("This subscription has an admin, who invites further members.")]
    HasAdmin,
    #[error("This person is already a member of the subscription.")]
    AlreadyMember,
    #[error("This is the last admin of the subscription. Make somebody else an admin first.")]
    LastAdmin,
    #[error("Nobody can give a higher role to themselves. Ask another admin.")]
    RaisesOneself,
    #[error("This Idempotency-Key was used for another request. Use a new one.")]
    IdempotencyKeyReused,
    #[error("This token has ended already.")]
    TokenEnded,
    #[error("Only what could not be delivered can be sent again.")]
    NotFailed,
    #[error("This is the last owner of the installation. Make somebody else an owner first.")]
    LastOwner,
}
