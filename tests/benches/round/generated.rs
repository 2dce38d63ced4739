//! A round of very many sites: one real site among generated peers, the real coordinator before generated answers.
//!
//! Everything that is timed is real; what is made beforehand is what its checks can tell apart, and no more. Peers have
//! real keys, signatures, agreements and sealed shares towards the one real site. Before the coordinator, the peers'
//! shares lie on lines, which any T of them restore as they restore any polynomial (a sharing of degree T − 1 for each
//! of 1000 sites would be 200 s of work that the coordinator does not see); what they seal for each other, which the
//! coordinator cannot open, is random; and all masked vectors are the same random one, so the opened sum means nothing
//! here. That it is right is what `whole.rs` checks.
use crate::report::{cpu_s, peak_mb};
use crate::setting::{Fallible, PHASE_MS, Setting};
use crate::whole::Spent;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::host;
use tacit_shared::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Outcome, Sealed, SharesHeader, Signed,
    Survivors, ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::site;
use tacit_shared::secagg::key::identity::Signature;
use tacit_shared::secagg::key::seal::{SEALED_BYTES, seal_shares};
use tacit_shared::secagg::key::{Binding, Peer, SecretKey, commit_b, mask_secret_key, round_salt};
use tacit_shared::secagg::open::VOTE_LABEL;
use tacit_shared::secagg::share::{SecretScalar, Share, split};
use tacit_shared::secagg::work::Workers;
use tacit_shared::summary::sum::SiteSum;

/// Signatures of one ballot.
type Votes = Vec<(SiteIndex, Signature)>;

/// A generated site.
struct Generated {
    sealing: SecretKey,
    r: SecretScalar,
    b: SecretScalar,
    entry: Signed,
}

/// What both halves of the bench have in common.
struct Stage<'a> {
    setting: &'a Setting,
    config: Digest,
    peers: BTreeMap<SiteIndex, Generated>,
    /// U3.
    survivors: BTreeSet<SiteIndex>,
    rng: ChaCha20Rng,
}

/// One real site, then the real coordinator, in a round that `lost` sites leave after they shared.
pub(crate) fn round(setting: &Setting, lost: u16, workers: Arc<dyn Workers>) -> Fallible<Spent> {
    let mut stage = Stage::of(setting, lost)?;
    let mut spent = Spent::default();
    let me = setting.plan.sites().get(stage.survivors.len() / 2).copied().ok_or("no sites")?;
    stage.one_site(me, &mut spent)?;
    stage.host(workers, &mut spent)?;
    Ok(spent)
}

impl<'a> Stage<'a> {
    fn of(setting: &'a Setting, lost: u16) -> Fallible<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let config = setting.config();
        let (round_id, digest) = (config.round_id(), config.digest()?);
        let roster = setting.plan.roster();
        let salt = round_salt(&round_id.0, digest.as_bytes(), roster.as_bytes());
        let mut peers = BTreeMap::new();
        for index in setting.sites() {
            let (r, b) = (SecretScalar::draw(&mut rng), SecretScalar::draw(&mut rng));
            let sealing = SecretKey::draw(&mut rng);
            let advertise = Advertise {
                round_id,
                config: digest,
                index,
                sealing: sealing.public(),
                masking: mask_secret_key(&salt, &r, index.value()).public(),
                commitment: Digest::new(commit_b(&round_id.0, index.value(), &b)),
            };
            let entry = Signed::of(setting.identity(index.value())?, "advertise", &advertise)?;
            peers.insert(index, Generated { sealing, r, b, entry });
        }
        let left = setting.sites().len().saturating_sub(usize::from(lost));
        let survivors = setting.sites().into_iter().take(left).collect();
        Ok(Self { setting, config: digest, peers, survivors, rng })
    }

    fn bitmap(&self, set: &BTreeSet<SiteIndex>) -> Bitmap {
        Bitmap::of(set, self.setting.roster.len())
    }

    /// The signed header of a site's masked vector, and as M6 lists it.
    fn header(&self, index: SiteIndex, u1: Digest, body: Digest) -> Fallible<(Signed, Member)> {
        let (input, ledger_head) = (Digest::new([1; 32]), Digest::new([2; 32]));
        let header = MaskedHeader {
            round_id: self.setting.config().round_id(),
            config: self.config,
            u1,
            u2: self.bitmap(&self.setting.sites()),
            index,
            body,
            input,
            ledger_head,
        };
        let signed = Signed::of(self.setting.identity(index.value())?, "masked", &header)?;
        let signature = signed.signature;
        Ok((signed, Member { index, body, input, ledger_head, signature }))
    }

    /// The ballot over these headers, and every survivor's vote but one's.
    fn votes(
        &self,
        u1: Digest,
        headers: &[Digest],
        but: Option<SiteIndex>,
    ) -> Fallible<(Vec<u8>, Votes)> {
        let fields: Vec<&[u8]> = headers.iter().map(|h| h.as_bytes().as_slice()).collect();
        let ballot = Ballot {
            round_id: self.setting.config().round_id(),
            config: self.config,
            u1,
            u2: self.bitmap(&self.setting.sites()),
            u3: self.bitmap(&self.survivors),
            headers: codec::hash("tacit/v1/headers", &fields),
        };
        let ballot = codec::encode(&ballot)?;
        let others = self.survivors.iter().filter(|index| Some(**index) != but);
        let vote = |index: &SiteIndex| {
            let key = self.setting.identity(index.value())?;
            Fallible::Ok((*index, key.sign(VOTE_LABEL, &ballot)))
        };
        let votes: Fallible<Vec<_>> = others.map(vote).collect();
        Ok((ballot.clone(), votes?))
    }

    fn one_site(&mut self, me: SiteIndex, spent: &mut Spent) -> Fallible<()> {
        let config = self.setting.config();
        let announce = Signed::of(self.setting.identity(0)?, "announce", &config)?;
        let mut driven = Driven { site: Some(self.setting.site(me)?), spent };
        let own = match driven.tell(&ToSite::Announce(announce), self)? {
            ToHost::Advertise(signed) => signed,
            other => return Err(other.name().into()),
        };
        let keys: Advertise = codec::decode(&own.payload.0)?;
        let entry = |(index, peer): (&SiteIndex, &Generated)| {
            if *index == me { own.clone() } else { peer.entry.clone() }
        };
        let entries: Vec<Signed> = self.peers.iter().map(entry).collect();
        let u1 = directory_digest(&entries);
        driven.tell(&ToSite::Directory(entries), self)?;
        let delivery = self.delivery(me, &keys, u1)?;
        let (signed, body) = match driven.tell(&delivery, self)? {
            ToHost::Masked(signed, body) => (signed, body),
            other => return Err(other.name().into()),
        };
        let mut members = Vec::new();
        let mut headers = Vec::new();
        for index in &self.survivors {
            let (signed, member) = if *index == me {
                let header: MaskedHeader = codec::decode(&signed.payload.0)?;
                let MaskedHeader { body, input, ledger_head, .. } = header;
                let signature = signed.signature;
                (signed.clone(), Member { index: me, body, input, ledger_head, signature })
            } else {
                self.header(*index, u1, codec::sha256(&body.0))?
            };
            headers.push(codec::sha256(&signed.payload.0));
            members.push(member);
        }
        let heads = members.iter().map(|m| (m.index, m.ledger_head)).collect();
        let survivors = self.bitmap(&self.survivors);
        let told = Survivors { survivors: survivors.clone(), members };
        driven.tell(&ToSite::Survivors(told), self)?;
        let (_, votes) = self.votes(u1, &headers, Some(me))?;
        driven.tell(&ToSite::Certificate(votes), self)?;
        let sum = vec![1 << 40; self.setting.dimension()];
        let round_id = config.round_id();
        let outcome =
            Outcome { round_id, config: self.config, survivors, sum, ledger_heads: heads };
        let result = Signed::of(self.setting.identity(0)?, "result", &outcome)?;
        driven.last(&ToSite::Result(result), self)
    }

    /// M4: what each peer sealed for the one site.
    fn delivery(&mut self, me: SiteIndex, keys: &Advertise, u1: Digest) -> Fallible<ToSite> {
        let round_id = self.setting.config().round_id().0;
        let roster = self.setting.plan.roster();
        let salt = round_salt(&round_id, self.config.as_bytes(), roster.as_bytes());
        let binding = Binding { round_id, salt, u1: *u1.as_bytes() };
        let to = Peer { index: me.value(), key: keys.sealing };
        let mut sealed: Vec<Sealed> = Vec::new();
        for (index, peer) in self.peers.iter().filter(|(index, _)| **index != me) {
            let mut share =
                || Share::from_bytes(me.value(), &SecretScalar::draw(&mut self.rng).to_bytes());
            let key = binding.share_key_to(&peer.sealing, index.value(), &to)?;
            sealed.push((*index, Bytes(seal_shares(key, &share()?, &share()?)?.to_vec())));
        }
        let shared = self.bitmap(&self.setting.sites());
        Ok(ToSite::Delivery(Delivery { shared, sealed }))
    }

    fn host(&mut self, workers: Arc<dyn Workers>, spent: &mut Spent) -> Fallible<()> {
        let config = self.setting.config();
        let round_id = config.round_id();
        let machine = self.setting.host()?.with_workers(workers);
        let mut driven = Hosted { host: Some(machine), clock: 0, opened: false, spent };
        driven.tell(host::Event::Start)?;
        for (index, peer) in &self.peers {
            driven.answer(*index, &ToHost::Advertise(peer.entry.clone()))?;
        }
        let entries: Vec<Signed> = self.peers.values().map(|peer| peer.entry.clone()).collect();
        let u1 = directory_digest(&entries);
        for from in self.setting.sites() {
            let mut sealed: Vec<Sealed> = Vec::new();
            for to in self.setting.sites().into_iter().filter(|to| *to != from) {
                let mut bytes = vec![0; SEALED_BYTES];
                self.rng.fill_bytes(&mut bytes);
                sealed.push((to, Bytes(bytes)));
            }
            let index: Vec<[u8; 2]> = sealed.iter().map(|(to, _)| to.to_bytes()).collect();
            let both = index.iter().zip(&sealed);
            let fields: Vec<&[u8]> =
                both.flat_map(|(to, (_, bytes))| [to.as_slice(), bytes.0.as_slice()]).collect();
            let digest = codec::hash("tacit/v1/sealed", &fields);
            let header = SharesHeader { round_id, u1, index: from, sealed: digest };
            let signed = Signed::of(self.setting.identity(from.value())?, "shares", &header)?;
            driven.answer(from, &ToHost::Shares(signed, sealed))?;
        }
        let headers = self.inputs(&mut driven, u1)?;
        let (ballot, votes) = self.votes(u1, &headers, None)?;
        for (index, vote) in votes {
            driven.answer(index, &ToHost::Vote(vote))?;
        }
        self.secrets(&mut driven, codec::sha256(&ballot))
    }

    /// M5 of the survivors, while the memory of the process is watched; the others fall silent.
    fn inputs(&mut self, driven: &mut Hosted<'_>, u1: Digest) -> Fallible<Vec<Digest>> {
        let mut body = vec![0; self.setting.dimension() * 8];
        self.rng.fill_bytes(&mut body);
        let body = Bytes(body);
        let digest = codec::sha256(&body.0);
        let before = resident_mb();
        let (mut headers, mut most) = (Vec::new(), before);
        for index in &self.survivors {
            let (signed, _) = self.header(*index, u1, digest)?;
            headers.push(codec::sha256(&signed.payload.0));
            driven.spent.came_mb += f64::from(u32::try_from(body.0.len())?) / 1e6;
            driven.answer(*index, &ToHost::Masked(signed, body.clone()))?;
            most = resident_mb().max(most);
        }
        driven.spent.grew_mb = most - before;
        if self.survivors.len() < self.setting.sites().len() {
            driven.clock += u64::from(PHASE_MS);
            driven.tell(host::Event::Tick)?;
        }
        Ok(headers)
    }

    /// M9 of T survivors: their points of the lines through every secret.
    fn secrets(&mut self, driven: &mut Hosted<'_>, ballot: Digest) -> Fallible<()> {
        let round_id = self.setting.config().round_id();
        let holders: Vec<u16> = self.survivors.iter().map(|index| index.value()).collect();
        let mut points: BTreeMap<SiteIndex, Vec<Share>> = BTreeMap::new();
        for (index, peer) in &self.peers {
            let secret = if self.survivors.contains(index) { &peer.b } else { &peer.r };
            points.insert(*index, split(secret, 2, &holders, &mut self.rng)?);
        }
        let threshold = usize::from(self.setting.plan.threshold());
        for (place, from) in self.survivors.iter().take(threshold).enumerate() {
            let share = |index: &SiteIndex| -> Fallible<(SiteIndex, [u8; 32])> {
                let share = points.get(index).and_then(|all| all.get(place)).ok_or("no share")?;
                Ok((*index, *share.to_bytes()))
            };
            let own: Fallible<Vec<_>> = self.survivors.iter().map(share).collect();
            let lost = self.peers.keys().filter(|index| !self.survivors.contains(index));
            let dropped: Fallible<Vec<_>> = lost.map(share).collect();
            let unmask = Unmask { round_id, ballot, index: *from, own: own?, dropped: dropped? };
            let signed = Signed::of(self.setting.identity(from.value())?, "unmask", &unmask)?;
            driven.answer(*from, &ToHost::Unmask(signed))?;
        }
        if driven.opened { Ok(()) } else { Err("nothing was opened".into()) }
    }
}

/// The real site, with a clock on it.
struct Driven<'s> {
    site: Option<site::Site>,
    spent: &'s mut Spent,
}

impl Driven<'_> {
    /// Tells the site something, pays where it asks for it, and gives its answer.
    fn tell(&mut self, message: &ToSite, stage: &mut Stage<'_>) -> Fallible<ToHost> {
        let event = site::Event::Received(codec::encode(message)?);
        let bytes = self.step(event, stage)?.ok_or("the site did not answer")?;
        self.spent.node_up_bytes += f64::from(u32::try_from(bytes.len())?);
        Ok(codec::decode(&bytes)?)
    }

    /// As `tell`, for the message that is not answered.
    fn last(&mut self, message: &ToSite, stage: &mut Stage<'_>) -> Fallible<()> {
        self.step(site::Event::Received(codec::encode(message)?), stage)?;
        let done = self.site.as_ref().is_some_and(site::Site::is_done);
        if done { Ok(()) } else { Err("the site is not done".into()) }
    }

    fn step(&mut self, event: site::Event, stage: &mut Stage<'_>) -> Fallible<Option<Vec<u8>>> {
        let site = self.site.take().ok_or("the site refused")?;
        let (due, start) = (site.due(), cpu_s());
        let (site, effects) = site.step(0, event, &mut stage.rng)?;
        self.spent.node(due, cpu_s() - start);
        self.site = Some(site);
        for effect in effects {
            match effect {
                site::Effect::Send(bytes) => return Ok(Some(bytes)),
                site::Effect::Collect { round } => {
                    let plan = &stage.setting.plan;
                    let sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
                    let paid = stage.setting.charge(round)?;
                    return self.step(site::Event::Funded { sum, paid }, stage);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The real coordinator, with a clock on it.
struct Hosted<'s> {
    host: Option<host::Host>,
    clock: u64,
    opened: bool,
    spent: &'s mut Spent,
}

impl Hosted<'_> {
    fn answer(&mut self, from: SiteIndex, message: &ToHost) -> Fallible<()> {
        self.tell(host::Event::Received { from, bytes: codec::encode(message)? })
    }

    fn tell(&mut self, event: host::Event) -> Fallible<()> {
        let host = self.host.take().ok_or("the coordinator gave up")?;
        let (due, start, wall) = (host.due(), cpu_s(), Instant::now());
        let (host, effects) = host.step(self.clock, event)?;
        self.spent.host(due, cpu_s() - start);
        self.host = Some(host);
        for effect in effects {
            match effect {
                host::Effect::Opened(_) => {
                    self.opened = true;
                    self.spent.opening_wall_s = wall.elapsed().as_secs_f64();
                }
                host::Effect::Dropped { site, reason } if !reason.ends_with("in time") => {
                    return Err(format!("site {site} was dropped: {reason}").into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Resident memory of this process now, in MB.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.map_or_else(peak_mb, |kb| kb / 1000.0)
}

/// u1, as the protocol defines it.
fn directory_digest(entries: &[Signed]) -> Digest {
    let fields: Vec<Vec<u8>> = entries
        .iter()
        .map(|e| [e.payload.0.as_slice(), e.signature.as_bytes().as_slice()].concat())
        .collect();
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    codec::hash("tacit/v1/u1", &fields)
}
