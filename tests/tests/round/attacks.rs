//! Attacks of a malicious coordinator and its colluders, and the test that plays each.
//!
//! The coordinator holds its own key, says to each site what it likes, and may own up to t sites. The
//! last rows are weaknesses once found in another system's secure aggregation.
//!
//! | attack | test |
//! |---|---|
//! | different survivor lists to different sites | `refusals::two_sets_of_survivors_are_never_both_certified` |
//! | too few survivors, or a list without me | `refusals::survivors_too_few_without_me_or_that_never_shared_are_refused` |
//! | same site among the survivors and the lost | `attacks::no_coalition_gets_both_secrets_of_one_site` |
//! | asking twice | `refusals::a_site_outside_the_certified_set_gets_no_second_list_and_gives_one_kind_of_share` |
//! | asking out of order | `machine::only_the_next_message_is_taken_in_any_state` |
//! | asking after a restart | `machine::a_restarted_site_answers_a_round_it_has_seen_with_nothing` |
//! | different key lists to different sites | `refusals::sites_shown_different_directories_cannot_open_each_others_shares` |
//! | swapped keys, a man in the middle, unsigned keys | `refusals::keys_that_the_coordinator_swapped_are_refused` |
//! | another study, clip, noise or window | `announcement::every_parameter_of_a_round_is_recomputed_and_compared` |
//! | another configuration to one site | `announcement::the_configuration_has_no_field_that_is_for_one_site_only` |
//! | invented sites, unknown or duplicate indices | `refusals::strangers_duplicates_and_disorder_in_the_directory_are_refused` |
//! | another roster than the pinned one | `announcement::a_plan_of_another_roster_than_the_pinned_one_takes_part_in_nothing` |
//! | replay of an old announcement | `announcement::a_counter_is_accepted_once` |
//! | replay of any message of an older round | `attacks::messages_of_an_earlier_round_are_refused_in_every_phase` |
//! | keys of an older round | `refusals::keys_of_another_round_are_refused` |
//! | zero keys and keys of low order | `refusals::a_key_of_low_order_is_refused_before_data_are_read` |
//! | keys that are not canonical | `attacks::a_twin_of_another_sites_key_is_refused` |
//! | duplicate keys | `refusals::a_key_that_stands_twice_in_the_directory_is_refused` |
//! | a share at x = 0 | `attacks::the_index_that_would_hold_the_secret_itself_is_no_index` |
//! | scalars that are not canonical | `attacks::sealed_scalars_that_are_not_canonical_are_refused_and_their_site_named` |
//! | truncated shares | `refusals::a_delivery_holds_one_pair_of_shares_of_each_other_site_and_nothing_else` |
//! | altered or misdirected shares | `refusals::one_altered_or_misdirected_share_refuses_the_whole_delivery` |
//! | less noise or smaller sets than the site's policy | `announcement::a_site_asks_for_its_own_floors_whatever_was_approved` |
//! | a pretended abort, for a free repetition | `attacks::an_attempt_that_is_called_off_stays_paid_and_is_repeated_with_fresh_noise_and_keys` |
//! | more rows than the study admits | `machine::a_sum_of_another_length_or_of_too_many_rows_is_not_released` |
//! | a giant row | `contribution::the_gate_holds_whatever_the_floats_are` |
//! | sums that leave the ring | `mechanism::the_wrap_bound_is_strict` |
//! | a ledger cut short or altered | `ledgers::entries_that_do_not_follow_one_another_are_refused` |
//! | a ledger restored from a backup | `attacks::a_ledger_restored_from_a_backup_contradicts_the_signed_receipt` |
//! | a receipt for other ledgers | `refusals::a_result_is_of_this_round_of_these_survivors_and_a_receipt` |
//! | oversized messages | `machine::a_message_longer_than_any_of_the_round_is_not_even_read` |
//! | lengths claimed and not sent | `codec::a_claimed_length_is_not_allocated` |
//! | slow messages | `honest::a_site_whose_coordinator_falls_silent_gives_up_in_every_phase` |
//! | the coordinator's key stolen | `attacks::whoever_has_the_coordinators_key_gets_certified_sums_until_the_budget_is_spent` |
//! | subtracting rounds that differ by few sites | `refusals::two_answers_that_differ_by_few_hospitals_are_refused` |
//! | the same, colluders counted | `refusals::the_gap_is_at_least_two_beyond_the_colluders_and_more_if_the_site_says_so` |
//! | subtracting many rounds | `refusals::at_most_so_many_sets_of_survivors_are_answered_over_the_same_data` |
//! | subtracting after a restart | `attacks::the_survivors_of_one_round_bind_the_next` |
//! | mask seeds folded to 32 bits | `attacks::seeds_that_fold_to_the_same_32_bits_give_different_masks` |
//! | masks that never reach the highest values | `attacks::the_masks_of_real_sites_fill_the_ring_to_both_ends` |
//! | masks that are not the key stream itself | `pad::matches_the_keystream_of_rfc_8439` |
//! | keys derived without salt | `attacks::the_same_randomness_in_another_round_gives_other_keys_and_masks` |
//! | keys derived without context | `key::whatever_a_pair_key_is_bound_to_changes_it` |
//! | unmasking lists that overlap | `attacks::no_coalition_gets_both_secrets_of_one_site` |
use crate::puppet::{Puppets, result};
use crate::rounds::{Federation, Memory, Passing, Round, at, budgets, charge, identity, now, set};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::ledger::{Ledger, LedgerError};
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::protocol::config::{RoundConfig, RoundId, RoundIdentity};
use tacit_shared::protocol::error::{Culprit, ProtocolError};
use tacit_shared::protocol::message::{
    Advertise, Delivery, MaskedHeader, Signed, ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::site::{Effect, Event, History, Policy, Record};
use tacit_shared::secagg::key::identity::Signature;
use tacit_shared::secagg::key::{SecretKey, derive, info, round_salt};
use tacit_shared::secagg::mask::{MaskSeeds, mask};
use tacit_shared::secagg::pad::PadKey;
use zeroize::Zeroizing;

const ME: u16 = 2;

fn body(entry: &Signed) -> Advertise {
    codec::decode(&entry.payload.0).unwrap()
}

/// Sites that remember so many rounds and these survivors, with randomness of their own.
fn later<'a>(federation: &'a Federation, history: &History, seed: u64) -> Puppets<'a> {
    let mut puppets = Puppets::new(federation);
    puppets.rng = ChaCha20Rng::seed_from_u64(seed);
    for index in federation.plan.sites() {
        let site = federation.site(*index, history.clone(), Policy::default());
        puppets.sites.insert(*index, site);
    }
    puppets
}

/// M1 of every site in the round of this configuration.
fn announce(puppets: &mut Puppets<'_>, config: &RoundConfig) -> Vec<Signed> {
    let announcement = ToSite::Announce(Signed::of(&identity(0), "announce", config).unwrap());
    let all: Vec<SiteIndex> = puppets.sites.keys().copied().collect();
    let key = |index| match puppets.tell(index, &announcement) {
        Ok(Some(ToHost::Advertise(signed))) => signed,
        other => panic!("{other:?}"),
    };
    all.into_iter().map(key).collect()
}

/// What this site is sent in a sound round of five up to this phase, M0 first, and the sites then.
fn up_to(
    federation: &Federation,
    counter: u64,
    seed: u64,
    phase: usize,
) -> (Puppets<'_>, Vec<ToSite>) {
    let history = History { last_counter: counter - 1, ..History::default() };
    let mut puppets = later(federation, &history, seed);
    let config = federation.config(counter);
    let all = set(1..=5);
    let mut sent = vec![ToSite::Announce(Signed::of(&identity(0), "announce", &config).unwrap())];
    if phase == 0 {
        return (puppets, sent);
    }
    let entries = announce(&mut puppets, &config);
    sent.push(ToSite::Directory(entries.clone()));
    if phase == 1 {
        return (puppets, sent);
    }
    let shared = puppets.deal(&all, &entries);
    sent.push(puppets.delivery(&shared, &all, at(ME)));
    if phase == 2 {
        return (puppets, sent);
    }
    let members = puppets.collect(&shared, &all);
    let survivors = puppets.survivors(&members, &all);
    sent.push(survivors.clone());
    if phase == 3 {
        return (puppets, sent);
    }
    let votes = (1..=5).map(|i| puppets.vote(at(i), &survivors)).collect();
    sent.push(ToSite::Certificate(votes));
    if phase == 4 {
        return (puppets, sent);
    }
    puppets.tell(at(ME), &sent[4]).unwrap();
    sent.push(result(&puppets.outcome(&members, &all)));
    (puppets, sent)
}

#[test]
fn messages_of_an_earlier_round_are_refused_in_every_phase() {
    let federation = Federation::of(5, 1, 4);
    let (_, earlier) = up_to(&federation, 1, 40, 5);
    let reasons = [
        "round 1 is not newer than round 1, the last one seen",
        "the directory's entry of site 1 is of another round",
        "the shares of site 1 do not open: the shares that site 1 sealed for site 2 do not open",
        "site 1 signed another header than this site rebuilds",
        "the vote of site 1 does not count",
        "the result is of another round",
    ];
    for (phase, (replayed, reason)) in earlier.iter().zip(reasons).enumerate() {
        let (mut puppets, due) = up_to(&federation, 2, 41, phase);
        let error = puppets.tell(at(ME), replayed).unwrap_err();
        assert_eq!(error.to_string(), reason);
        assert!(!puppets.sites.contains_key(&at(ME)), "the secrets went with the machine");
        // What is due in this round is taken: only the replay was wrong. Of a result, there is none.
        let (mut puppets, _) = up_to(&federation, 2, 41, phase);
        if phase < 5 {
            puppets.tell(at(ME), &due[phase]).unwrap();
        }
    }
}

/// What site 1, which colludes, does to its keys; it is shown those of site 3.
type Alter<'a> = &'a dyn Fn(&mut Raw, &Advertise);

/// Keys as they stand on the wire, not checked.
#[derive(Serialize)]
struct Raw {
    round_id: RoundId,
    config: Digest,
    index: u16,
    sealing: [u8; 32],
    masking: [u8; 32],
    commitment: Digest,
}

impl Raw {
    fn of(body: &Advertise) -> Self {
        let Advertise { round_id, config, commitment, .. } = *body;
        let (sealing, masking) = (*body.sealing.as_bytes(), *body.masking.as_bytes());
        Self { round_id, config, index: body.index.value(), sealing, masking, commitment }
    }

    /// A directory in which the entry of site 1, which colludes, is this one.
    fn shown(alter: impl Fn(&mut Self, &Advertise)) -> Result<(), ProtocolError> {
        let federation = Federation::of(5, 1, 4);
        let mut puppets = Puppets::new(&federation);
        let mut entries = puppets.announce();
        let mut raw = Self::of(&body(&entries[0]));
        alter(&mut raw, &body(&entries[2]));
        entries[0] = Signed::of(&identity(1), "advertise", &raw).unwrap();
        puppets.tell(at(ME), &ToSite::Directory(entries)).map(|_| ())
    }
}

#[test]
fn a_twin_of_another_sites_key_is_refused() {
    Raw::shown(|_, _| ()).unwrap();
    let mut beyond = [0xff; 32]; // 2²⁵⁵ − 19 + 9, a twin of the base point
    (beyond[0], beyond[31]) = (0xf6, 0x7f);
    let alterations: [Alter<'_>; 4] = [
        &|raw, of_3| {
            raw.masking = *of_3.masking.as_bytes();
            raw.masking[31] |= 0x80;
        },
        &|raw, of_3| {
            raw.sealing = *of_3.sealing.as_bytes();
            raw.sealing[31] |= 0x80;
        },
        &|raw, _| raw.masking = beyond,
        &|raw, _| raw.sealing = beyond,
    ];
    for alter in alterations {
        let error = Raw::shown(alter).unwrap_err();
        assert!(matches!(error, ProtocolError::Codec(_)), "{error}");
        assert_eq!(error.culprit(), Culprit::Coordinator);
    }
}

/// Messages to a site, with indices that are not checked, in the order of the wire.
#[derive(Serialize)]
#[expect(dead_code, reason = "the first four keep the places of the others")]
enum RawToSite {
    Announce,
    Directory,
    Delivery(Bitmap, Vec<(u16, Bytes)>),
    Survivors,
    Certificate(Vec<(u16, Signature)>),
}

#[test]
fn the_index_that_would_hold_the_secret_itself_is_no_index() {
    // A polynomial's value at 0 is the secret: no site has this index, whoever signs for it.
    let error = Raw::shown(|raw, _| raw.index = 0).unwrap_err();
    assert!(matches!(error, ProtocolError::Codec(_)), "{error}");
    let federation = Federation::of(5, 1, 4);
    for (index, known) in [(1, true), (0, false)] {
        let (mut puppets, sent) = up_to(&federation, 1, 40, 2);
        let ToSite::Delivery(Delivery { shared, sealed }) = sent[2].clone() else { panic!() };
        let mut sealed: Vec<_> = sealed.into_iter().map(|(i, s)| (i.value(), s)).collect();
        sealed[0].0 = index;
        let bytes = codec::encode(&RawToSite::Delivery(shared, sealed)).unwrap();
        refused_if_unknown(puppets.bytes(at(ME), bytes), known);
        let (mut puppets, sent) = up_to(&federation, 1, 40, 4);
        let ToSite::Certificate(votes) = sent[4].clone() else { panic!() };
        let mut votes: Vec<_> = votes.into_iter().map(|(i, s)| (i.value(), s)).collect();
        votes[0].0 = index;
        let bytes = codec::encode(&RawToSite::Certificate(votes)).unwrap();
        refused_if_unknown(puppets.bytes(at(ME), bytes), known);
    }
}

fn refused_if_unknown(answer: Result<Option<ToHost>, ProtocolError>, known: bool) {
    match answer {
        Ok(answer) => assert!(known && answer.is_some()),
        Err(error) => assert!(!known && matches!(error, ProtocolError::Codec(_)), "{error}"),
    }
}

/// Site 1 colludes and seals these bytes for site 2 with the right key, all others being honest.
fn sealed_by_a_colluder(shares: &[u8; 64]) -> Result<Option<ToHost>, ProtocolError> {
    let federation = Federation::of(5, 1, 4);
    let mut puppets = Puppets::new(&federation);
    let mut entries = puppets.announce();
    let own = SecretKey::draw(&mut puppets.rng);
    let keys = Advertise { sealing: own.public(), ..body(&entries[0]) };
    entries[0] = Signed::of(&identity(1), "advertise", &keys).unwrap();
    let dealt = puppets.deal(&set(2..=5), &entries);
    let fields: Vec<Vec<u8>> =
        entries.iter().map(|e| [e.payload.0.as_slice(), e.signature.as_bytes()].concat()).collect();
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let u1 = codec::hash("tacit/v1/u1", &fields);
    let (RoundId(round), roster) = (keys.round_id, federation.plan.roster());
    let salt = round_salt(&round, keys.config.as_bytes(), roster.as_bytes());
    let of_me = body(&entries[1]).sealing;
    let (from, to) = (1_u16.to_be_bytes(), ME.to_be_bytes());
    let ends: [&[u8]; 5] = [&from, &to, keys.sealing.as_bytes(), of_me.as_bytes(), u1.as_bytes()];
    let agreed = own.agree(&of_me).unwrap();
    let key = derive(&salt, agreed.as_slice(), &info("tacit/v1/share-key", &ends));
    let aad = info("tacit/v1/share-aad", &[&round, &from, &to, u1.as_bytes()]);
    let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).unwrap());
    let mut sealed = shares.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    cipher.seal_in_place_append_tag(nonce, Aad::from(&aad), &mut sealed).unwrap();
    let others = puppets.delivery(&dealt, &set(2..=5), at(ME));
    let ToSite::Delivery(mut delivery) = others else { panic!() };
    delivery.shared = Bitmap::of(&set(1..=5), 5);
    delivery.sealed.insert(0, (at(1), Bytes(sealed)));
    puppets.tell(at(ME), &ToSite::Delivery(delivery))
}

#[test]
fn sealed_scalars_that_are_not_canonical_are_refused_and_their_site_named() {
    // The order of the group, which is another zero; and the largest 32 bytes.
    let mut order = [0; 32];
    order[..16].copy_from_slice(&0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ed_u128.to_le_bytes());
    order[31] = 0x10;
    let sound = [3; 32].map(|byte: u8| byte & 0x0f);
    let pair = |r: [u8; 32], b: [u8; 32]| [r, b].concat().try_into().unwrap();
    assert!(sealed_by_a_colluder(&pair(sound, sound)).unwrap().is_some());
    for wrong in [order, [0xff; 32]] {
        for shares in [pair(wrong, sound), pair(sound, wrong)] {
            let error = sealed_by_a_colluder(&shares).unwrap_err();
            let reason =
                "the shares of site 1 do not open: site 1 sealed something that is not a share";
            assert_eq!(error.to_string(), reason);
            assert_eq!(error.culprit(), Culprit::Site(at(1)));
        }
    }
}

#[test]
fn no_coalition_gets_both_secrets_of_one_site() {
    // N = 5, t = 1, T = 4. Site 1 colludes: the coordinator has one share of every secret from it.
    let federation = Federation::of(5, 1, 4);
    let threshold = usize::from(federation.plan.threshold());
    let (mut puppets, members) = crate::puppet::up_to_masked(&federation);
    let without_5 = puppets.survivors(&members, &set(1..=4));
    let without_4 = puppets.survivors(&members, &set([1, 2, 3, 5]));
    let votes: Vec<_> = (1..=4).map(|i| puppets.vote(at(i), &without_5)).collect();
    let certificate = ToSite::Certificate(votes.clone());
    // Site 5, lost to the others, believes in another list; nothing certifies it.
    let of_5 = puppets.vote(at(5), &without_4);
    let mut of_b: BTreeMap<SiteIndex, usize> = (1..=5).map(|i| (at(i), 1)).collect();
    let mut of_r = of_b.clone();
    for index in 2..=4 {
        let Ok(Some(ToHost::Unmask(signed))) = puppets.tell(at(index), &certificate) else {
            panic!("no answer")
        };
        let unmask: Unmask = codec::decode(&signed.payload.0).unwrap();
        unmask.own.iter().for_each(|(site, _)| *of_b.get_mut(site).unwrap() += 1);
        unmask.dropped.iter().for_each(|(site, _)| *of_r.get_mut(site).unwrap() += 1);
    }
    for site in 1..=5 {
        let (b, r) = (of_b[&at(site)], of_r[&at(site)]);
        let expected = if site == 5 { (1, threshold) } else { (threshold, 1) };
        assert_eq!((b, r), expected, "site {site}");
    }
    // What is missing is not to be had: neither from site 5 nor from those who answered.
    let mixed = [&votes[..3], &[of_5]].concat();
    let error = puppets.tell(at(5), &ToSite::Certificate(mixed)).unwrap_err();
    assert_eq!(error.to_string(), "the vote of site 1 does not count");
    for index in 2..=4 {
        let error = puppets.tell(at(index), &without_4).unwrap_err();
        assert!(matches!(error, ProtocolError::Unexpected { found: "survivors", .. }));
    }
}

/// One site's part of a round until its vector is sent.
struct Sent {
    keys: Advertise,
    header: MaskedHeader,
    noise: Vec<i64>,
}

/// Runs a round until this site has paid from its ledger and sent its vector, if the ledger pays.
fn attempt(
    puppets: &mut Puppets<'_>,
    config: &RoundConfig,
    ledger: &mut Ledger<Memory>,
) -> Result<Sent, LedgerError<std::convert::Infallible>> {
    let entries = announce(puppets, config);
    let keys = body(&entries[usize::from(ME) - 1]);
    let all = set(1..=5);
    let shared = puppets.deal(&all, &entries);
    let delivery = codec::encode(&puppets.delivery(&shared, &all, at(ME))).unwrap();
    let effects = puppets.event(at(ME), Event::Received(delivery)).unwrap();
    let [Effect::Collect { round }] = effects[..] else { panic!("{effects:?}") };
    let paid = now(ledger.charge(&puppets.federation.plan, round, 0))?;
    let sum = puppets.sum(at(ME));
    let effects = puppets.event(at(ME), Event::Funded { sum, paid }).unwrap();
    let [Effect::Keep(opening), Effect::Send(bytes)] = &effects[..] else { panic!("not sent") };
    let Ok(ToHost::Masked(signed, _)) = codec::decode(bytes) else { panic!("no vector") };
    let (_, noise) = puppets.federation.recomputed(&opening.for_the_hospitals_own_evidence());
    Ok(Sent { keys, header: codec::decode(&signed.payload.0).unwrap(), noise })
}

#[test]
fn an_attempt_that_is_called_off_stays_paid_and_is_repeated_with_fresh_noise_and_keys() {
    let federation = Federation::of(5, 1, 4);
    let cost = federation.plan.charges().clinician;
    let first = federation.config(1);
    let identity = RoundIdentity {
        round_id: RoundId([7; 32]),
        counter: 2,
        deadlines: first.deadlines(),
        retry_of: Some(first.round_id()),
    };
    let again = RoundConfig::new(&federation.plan, federation.roster.federation(), &identity);
    // Budgets of two releases, and of one.
    for (epsilon, repeats) in [(3.2, true), (2.0, false)] {
        let mut ledger = Ledger::open(Memory::default(), &[], budgets(epsilon, 80.0)).unwrap();
        let mut puppets = later(&federation, &History::default(), 40);
        let one = attempt(&mut puppets, &first, &mut ledger).unwrap();
        let error = puppets.tell(at(ME), &ToSite::Closed).unwrap_err();
        assert!(matches!(error, ProtocolError::Closed { .. }));
        assert_eq!(ledger.spent().clinician, cost, "nothing is refunded");
        let history = History { last_counter: 1, ..History::default() };
        puppets.sites = later(&federation, &history, 0).sites;
        match attempt(&mut puppets, &again, &mut ledger) {
            Ok(two) => {
                assert!(repeats);
                assert_eq!(ledger.spent().clinician, cost.checked_add(cost).unwrap());
                // 59 draws with a standard deviation of 2²⁴ and more: two alike are no accident.
                assert!(one.noise.iter().zip(&two.noise).all(|(a, b)| a != b));
                let of = |keys: &Advertise| [keys.sealing, keys.masking];
                assert!(of(&one.keys).iter().all(|key| !of(&two.keys).contains(key)));
                assert_ne!(one.keys.commitment, two.keys.commitment);
                assert_ne!(one.header.input, two.header.input);
            }
            Err(LedgerError::BudgetExceeded { .. }) => assert!(!repeats),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn whoever_has_the_coordinators_key_gets_certified_sums_until_the_budget_is_spent() {
    let federation = Federation::of(5, 1, 4);
    let mut ledger = Ledger::open(Memory::default(), &[], budgets(3.2, 80.0)).unwrap();
    let mut paid = 0;
    for counter in 1..=5 {
        let history = History { last_counter: counter - 1, ..History::default() };
        let mut puppets = later(&federation, &history, counter);
        match attempt(&mut puppets, &federation.config(counter), &mut ledger) {
            Ok(_) => paid += 1,
            Err(error) => {
                assert!(matches!(error, LedgerError::BudgetExceeded { .. }), "{error}");
                // Not paid, not sent: the machine waits, and time ends the round.
                assert_eq!(puppets.sites[&at(ME)].due(), "local sum");
            }
        }
    }
    assert_eq!(paid, 2);
}

#[test]
fn a_ledger_restored_from_a_backup_contradicts_the_signed_receipt() {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, sent) = up_to(&federation, 1, 40, 5);
    let effects = puppets.event(at(ME), Event::Received(codec::encode(&sent[5]).unwrap())).unwrap();
    let [Effect::Persist(Record::Result { .. }), Effect::Done(outcome)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let (_, receipt) = outcome.ledger_heads.iter().find(|(site, _)| *site == at(ME)).unwrap();
    let round = federation.config(1).digest().unwrap();
    assert_eq!(*receipt, charge(&federation.plan, round).head(), "the head once this was paid");
    let restored = Ledger::open(Memory::default(), &[], budgets(10.0, 20.0)).unwrap();
    assert_ne!(*receipt, restored.head(), "a ledger without the entry has another head");
}

#[test]
fn the_survivors_of_one_round_bind_the_next() {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, sent) = up_to(&federation, 1, 40, 3);
    let effects = puppets.event(at(ME), Event::Received(codec::encode(&sent[3]).unwrap())).unwrap();
    let [Effect::Persist(Record::Survivors { answered, .. }), Effect::Send(_)] = &effects[..]
    else {
        panic!("durable before the vote is sent: {effects:?}")
    };
    // After a restart, the coordinator pretends to have lost site 5 and subtracts.
    let history = History { last_counter: 1, answered: vec![answered.clone()] };
    let all = set(1..=5);
    for (now, exposed) in [(set(1..=4), true), (all.clone(), false)] {
        let mut puppets = later(&federation, &history, 41);
        let entries = announce(&mut puppets, &federation.config(2));
        let shared = puppets.deal(&all, &entries);
        let members = puppets.collect(&shared, &all);
        match puppets.tell(at(ME), &puppets.survivors(&members, &now)) {
            Ok(_) => assert!(!exposed),
            Err(ProtocolError::Differencing { found: 1, expected: 3 }) => assert!(exposed),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn seeds_that_fold_to_the_same_32_bits_give_different_masks() {
    let federation = Federation::of(5, 1, 4);
    let masked = |key: [u8; 32]| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let round = Digest::new([3; 32]);
        let noise = Noise::draw(&federation.plan, round, [5; 32]).unwrap();
        let sum = federation.sum(at(1), 4, &mut rng);
        let (noised, _) = release(sum, charge(&federation.plan, round), noise, [6; 32]).unwrap();
        let own = PadKey::new(&Zeroizing::new(key));
        mask(noised, MaskSeeds { own, pairs: vec![], index: at(1) }).unwrap().body().0.clone()
    };
    let fold = |key: &[u8; 32]| {
        key.as_chunks::<4>().0.iter().fold(0, |fold, word| fold ^ u32::from_le_bytes(*word))
    };
    let one: [u8; 32] = *codec::hash("seed of a test", &[]).as_bytes();
    for (a, b) in [(0, 4), (5, 29), (12, 24)] {
        let mut other = one;
        (other[a], other[b]) = (other[a] ^ 0x10, other[b] ^ 0x10);
        assert_eq!(fold(&one), fold(&other));
        let (one, other) = (masked(one), masked(other));
        let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
        assert!(words.into_iter().all(|(a, b)| a != b));
    }
}

#[test]
fn the_masks_of_real_sites_fill_the_ring_to_both_ends() {
    let federation = Federation::of(30, 1, 20);
    let mut bodies: BTreeMap<SiteIndex, Vec<u8>> = BTreeMap::new();
    let mut round = Round::new(&federation, 6);
    round.run(&mut |passing, bytes| {
        if let Passing::Up(from, ToHost::Masked(_, body)) = passing {
            bodies.insert(*from, body.0.clone());
        }
        vec![bytes]
    });
    let mut masks = Vec::new();
    for (site, body) in &bodies {
        let (exact, noise) = federation.recomputed(&round.openings[site]);
        for ((word, x), z) in body.as_chunks::<8>().0.iter().zip(exact).zip(noise) {
            masks.push(u64::from_le_bytes(*word).wrapping_sub(x.wrapping_add(z).cast_unsigned()));
        }
    }
    assert!(masks.len() > 6000);
    // Each byte of the masks is uniform: Pearson's statistic has mean 255 and standard deviation 22.6;
    // above 391 by chance in fewer than one of 10⁶ cases.
    for byte in 0..8 {
        let mut cells = [0_u32; 256];
        for mask in &masks {
            cells[usize::from(mask.to_le_bytes()[byte])] += 1;
        }
        assert!(cells[0] > 0 && cells[255] > 0, "an end of the ring is never reached");
        let expected = f64::from(u32::try_from(masks.len()).unwrap()) / 256.0;
        let off = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
        let statistic: f64 = cells.iter().map(off).sum();
        assert!(statistic < 391.0, "byte {byte}: {statistic}");
    }
}

#[test]
fn the_same_randomness_in_another_round_gives_other_keys_and_masks() {
    let federation = Federation::of(5, 1, 4);
    let of = |counter| {
        let mut ledger = Ledger::open(Memory::default(), &[], budgets(19.0, 80.0)).unwrap();
        let mut puppets = later(&federation, &History::default(), 40);
        attempt(&mut puppets, &federation.config(counter), &mut ledger).unwrap()
    };
    let (one, same, other) = (of(1), of(1), of(2));
    assert_eq!((one.keys.clone(), one.header.clone()), (same.keys, same.header));
    // A broken source of randomness repeats the noise and what was drawn, but nothing derived.
    assert_eq!((one.keys.sealing, &one.noise), (other.keys.sealing, &other.noise));
    assert_ne!(one.keys.masking, other.keys.masking);
    assert_ne!(one.keys.commitment, other.keys.commitment);
    assert_ne!(one.header.body, other.header.body);
}

#[test]
fn every_attack_of_the_table_has_its_test() {
    let sources = BTreeMap::from([
        ("announcement", include_str!("announcement.rs")),
        ("attacks", include_str!("attacks.rs")),
        ("codec", include_str!("../../../shared/src/codec.rs")),
        ("contribution", include_str!("../../../shared/src/summary/contribution.rs")),
        ("honest", include_str!("honest.rs")),
        ("key", include_str!("../../../shared/src/secagg/key.rs")),
        ("ledgers", include_str!("ledgers.rs")),
        ("machine", include_str!("machine.rs")),
        ("mechanism", include_str!("../../../shared/src/privacy/mechanism.rs")),
        ("pad", include_str!("../../../shared/src/secagg/pad.rs")),
        ("refusals", include_str!("refusals.rs")),
    ]);
    let rows = sources["attacks"].lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut named = BTreeSet::new();
    for row in rows.skip(1) {
        let (attack, test) = row.split_once(" | `").unwrap();
        let (module, name) = test.trim_end_matches("` |").split_once("::").unwrap();
        // The line before says that it is a test, and nothing between says that it is ignored.
        let mut lines = sources[module].lines().map(str::trim_start);
        let mut before = "";
        let found = lines.any(|line| {
            let is_it = before == "#[test]" && line.starts_with(&format!("fn {name}("));
            before = line;
            is_it
        });
        assert!(found, "{attack}: there is no test {module}::{name}");
        named.insert(name);
    }
    // And each test of this file stands in the table, but this one.
    let tests = sources["attacks"].split("#[test]\nfn ").skip(1);
    let tests = tests.filter_map(|test| test.split_once("()")).map(|(name, _)| name);
    let missing: Vec<&str> = tests.filter(|name| !named.contains(name)).collect();
    assert_eq!(missing, ["every_attack_of_the_table_has_its_test"]);
}
