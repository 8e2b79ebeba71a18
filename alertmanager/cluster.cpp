#include "alertmanager/cluster.h"

#include <algorithm>
#include <random>

#include "alertmanager/records.h"

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;
using core::ErrorCode;
using core::Fail;
using core::Result;

constexpr char kMessage = 'X';
constexpr std::uint64_t kVersion = 1;
constexpr core::Duration kBeat = 1s;
constexpr core::Duration kRetryDown = 2s;
constexpr core::Duration kForgetDown = 6h;  // a peer that no option names
constexpr core::Duration kSettleWithin = 10s;
constexpr int kFailuresUntilDown = 3;
constexpr std::size_t kMaxPeers = 64;
constexpr std::size_t kRecordsPerMessage = 200;
constexpr std::size_t kMaxPending = 20'000;  // records; a peer that is so far behind gets everything instead

std::string RandomName() {
  static constexpr char kLetters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::random_device random;
  std::string name(26, '0');
  for (char& c : name) c = kLetters[random() & 31U];
  return name;
}

bool NamesNoHost(const std::string& address) {
  return address.starts_with(':') || address.starts_with("0.0.0.0:") || address.starts_with("[::]:");
}

std::string WithHost(const std::string& address, const std::string& host) {
  const std::string port = address.substr(address.rfind(':'));
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + port;
}

}  // namespace

struct Cluster::Message {
  ClusterMember from;
  std::vector<ClusterMember> members;
  std::vector<std::string> records;
  bool was_all = false;  // the last one of those that bring everything

  static Result<Message> Read(std::string_view bytes);
};

Result<Cluster::Message> Cluster::Message::Read(std::string_view bytes) {
  RecordReader reader(bytes);
  Message message;
  if (reader.Type() != kMessage || reader.Number() != kVersion)
    return Fail(ErrorCode::kInvalid, "this is no message of a cluster of this version of pipewarden");
  message.from.name = reader.Text();
  message.from.address = reader.Text();
  for (std::uint64_t left = reader.Number(); reader.ok() && left > 0; --left) {
    std::string name = reader.Text();
    message.members.push_back({std::move(name), reader.Text()});
  }
  for (std::uint64_t left = reader.Number(); reader.ok() && left > 0; --left) message.records.push_back(reader.Text());
  message.was_all = reader.Bool();
  if (!reader.ok() || !reader.AtEnd()) return Fail(ErrorCode::kInvalid, "a message of the cluster is broken");
  return message;
}

std::string Cluster::Write(std::vector<std::string> records, bool was_all) const {
  RecordWriter writer(kMessage);
  writer.Number(kVersion).Text(options_.name).Text(options_.address);
  std::vector<ClusterMember> known;
  for (const auto& [address, peer] : peers_)
    if (peer->up) known.push_back(peer->member);
  writer.Number(known.size());
  for (const ClusterMember& member : known) writer.Text(member.name).Text(member.address);
  writer.Number(records.size());
  for (const std::string& record : records) writer.Text(record);
  return writer.Bool(was_all).Take();
}

Cluster::Cluster(core::Loop& loop, core::TaskGroup& tasks, Silences& silences, NotificationLog& log,
                 core::Logger logger, ClusterOptions options)
    : loop_(loop),
      tasks_(tasks),
      silences_(silences),
      log_(log),
      logger_(std::move(logger)),
      options_(std::move(options)) {
  if (options_.name.empty()) options_.name = RandomName();
  for (const std::string& address : options_.peers) {
    auto peer = std::make_shared<Peer>();
    peer->member.address = address;
    peer->configured = true;
    if (address != options_.address) peers_.emplace(address, std::move(peer));
  }
}

void Cluster::Start() {
  started_ = loop_.clock().Monotonic();
  next_full_ = started_ + options_.full_interval;
  Settle();
  tasks_.Spawn("alertmanager cluster", Beat());
}

core::Task<void> Cluster::Beat() {
  for (;;) {
    const core::MonoTime now = loop_.clock().Monotonic();
    const bool everything = now >= next_full_;
    if (everything) next_full_ = now + options_.full_interval;
    std::erase_if(peers_, [&](const auto& entry) {
      const Peer& peer = *entry.second;
      return !peer.configured && !peer.up && peer.tried && !peer.sending && peer.last_up + kForgetDown < now;
    });
    std::vector<PeerPtr> due;
    for (const auto& [address, peer] : peers_)
      if (peer->up || now >= peer->next_try) due.push_back(peer);
    for (const PeerPtr& peer : due) {
      peer->wants_all |= everything;
      StartSending(peer);
    }
    Settle();
    co_await loop_.Sleep(kBeat);
  }
}

void Cluster::StartSending(const PeerPtr& peer) {
  if (peer->sending) return;
  peer->sending = true;
  tasks_.Spawn("alertmanager cluster: " + peer->member.address, SendTo(peer));
}

core::Task<void> Cluster::SendTo(PeerPtr peer) {
  bool well = true;
  do {
    if (std::exchange(peer->wants_all, false)) {
      well = co_await SendAll(peer);
    } else {
      const std::size_t count = std::min(peer->pending.size(), kRecordsPerMessage);
      const auto end = peer->pending.begin() + static_cast<std::ptrdiff_t>(count);
      std::vector<std::string> records(std::make_move_iterator(peer->pending.begin()), std::make_move_iterator(end));
      peer->pending.erase(peer->pending.begin(), end);
      well = co_await SendOne(peer, std::move(records), false);
    }
  } while (well && (peer->wants_all || !peer->pending.empty()));
  peer->sending = false;
}

// Everything, some records a turn and a message.
core::Task<bool> Cluster::SendAll(PeerPtr peer) {
  std::string silence;
  NotificationLog::Cursor entry;
  for (bool silences = true;;) {
    std::vector<std::string> records;
    bool more = true;
    if (silences)
      silences = silences_.WriteSome(silence, kRecordsPerMessage, records);
    else
      more = log_.WriteSome(entry, kRecordsPerMessage, records);
    if (!co_await SendOne(peer, std::move(records), !more)) co_return false;
    if (!more) co_return true;
  }
}

core::Task<bool> Cluster::SendOne(PeerPtr peer, std::vector<std::string> records, bool was_all) {
  Result<std::string> answer = co_await options_.send(peer->member.address, Write(std::move(records), was_all));
  Result<Message> read;
  if (answer)
    read = Message::Read(*answer);
  else
    read = Fail(answer.error());
  peer->tried = true;
  if (read)
    Answered(peer, *read);
  else
    Failed(peer, read.error());
  co_return read.has_value();
}

void Cluster::Answered(const PeerPtr& peer, const Message& answer) {
  peer->failures = 0;
  peer->last_up = loop_.clock().Monotonic();
  const std::string& name = answer.from.name;
  // This process itself under one of its addresses, or a peer under another one of its own.
  const bool known_otherwise = name == options_.name || std::ranges::any_of(peers_, [&](const auto& other) {
                                 return other.second != peer && other.second->up && other.second->member.name == name;
                               });
  if (known_otherwise) {
    peer->up = false;
    peer->next_try = peer->last_up + options_.full_interval;
    peer->pending.clear();
    return;
  }
  if (!peer->up) logger_.Info("a peer of the cluster is up", {{"peer", name}, {"address", peer->member.address}});
  peer->wants_all |= !peer->member.name.empty() && peer->member.name != name;  // it was started anew
  peer->member.name = name;
  peer->up = true;
  LearnAll(answer);
}

void Cluster::Failed(const PeerPtr& peer, const core::Error& error) {
  peer->wants_all = true;
  peer->pending.clear();
  ++peer->failures;
  const bool down = !peer->up || peer->failures >= kFailuresUntilDown;
  if (down) peer->next_try = loop_.clock().Monotonic() + kRetryDown;
  const bool first = peer->configured && peer->failures == kFailuresUntilDown;
  if (first || (peer->up && down))
    logger_.Warn("a peer of the cluster is down; it is tried on",
                 {{"peer", peer->member.name}, {"address", peer->member.address}, {"error", error.message}});
  if (down) peer->up = false;
}

void Cluster::Learn(const ClusterMember& member) {
  if (member.name == options_.name || member.address == options_.address || NamesNoHost(member.address)) return;
  if (const auto known = peers_.find(member.address); known != peers_.end()) {
    const PeerPtr& peer = known->second;
    if (!peer->member.name.empty() && peer->member.name != member.name) peer->wants_all = true;
    if (peer->up) peer->member.name = member.name;
    if (!peer->up || peer->wants_all) StartSending(peer);
    return;
  }
  const bool same_elsewhere =
      std::ranges::any_of(peers_, [&](const auto& other) { return other.second->member.name == member.name; });
  if (same_elsewhere || peers_.size() >= kMaxPeers) return;
  auto peer = std::make_shared<Peer>();
  peer->member.address = member.address;
  peer->last_up = loop_.clock().Monotonic();
  peers_.emplace(member.address, peer);
  StartSending(peer);
}

void Cluster::LearnAll(const Message& message) {
  for (const ClusterMember& member : message.members)
    if (!peers_.contains(member.address)) Learn(member);
}

void Cluster::Tell(const std::string& record) {
  if (merging_) return;
  for (const auto& [address, peer] : peers_) {
    if (!peer->up) continue;
    peer->pending.push_back(record);
    if (peer->pending.size() > kMaxPending) {
      peer->pending.clear();
      peer->wants_all = true;
    }
    StartSending(peer);
  }
}

Result<std::string> Cluster::Receive(std::string_view bytes, const std::string& source) {
  Result<Message> message = Message::Read(bytes);
  if (!message) return Fail(message.error());
  if (message->from.name == options_.name) return Write({}, false);  // one of its own addresses
  merging_ = true;
  for (const std::string& record : message->records) {
    if (record.starts_with(Silences::kRecordType)) silences_.Merge(std::string_view(record).substr(1));
    if (record.starts_with(NotificationLog::kRecordType))
      log_.Merge(std::string_view(record).substr(1), loop_.clock().Now());
  }
  merging_ = false;
  if (message->was_all) settled_ = true;
  if (NamesNoHost(message->from.address)) message->from.address = WithHost(message->from.address, source);
  Learn(message->from);
  LearnAll(*message);
  return Write({}, false);
}

// Before it has heard of the others a process does not know what they told: it waits for one that shares everything,
// unless all have failed.
void Cluster::Settle() {
  if (settled_) return;
  const bool all_failed =
      std::ranges::all_of(peers_, [](const auto& entry) { return entry.second->tried && !entry.second->up; });
  settled_ = all_failed || loop_.clock().Monotonic() >= started_ + kSettleWithin;
}

std::vector<ClusterMember> Cluster::Members() const {
  std::vector<ClusterMember> members{{options_.name, options_.address}};
  for (const auto& [address, peer] : peers_)
    if (peer->up) members.push_back(peer->member);
  std::ranges::sort(members, {}, &ClusterMember::name);
  return members;
}

core::Duration Cluster::TurnWait() const {
  const std::vector<ClusterMember> members = Members();
  const auto own = std::ranges::find(members, options_.name, &ClusterMember::name);
  return (own - members.begin()) * options_.peer_timeout;
}

core::Task<void> Cluster::AwaitTurn() {
  while (!settled_) co_await loop_.Sleep(100ms);
  const core::Duration wait = TurnWait();
  if (wait > core::Duration::zero()) co_await loop_.Sleep(wait);
}

ClusterView Cluster::View() const { return {options_.name, settled_, Members()}; }

}  // namespace pipewarden::alertmanager
