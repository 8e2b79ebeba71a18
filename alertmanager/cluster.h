// Several processes that are told the same alerts and tell people once. Each shares its silences and its notification
// log with the others and waits before it tells, its place among them times `peer_timeout`: the first has told and said
// so by then. Where one is down, the others go on, and the next in the order tells.
//
// The protocol is our own (memberlist's gossip is not spoken: processes of Alertmanager cannot join). There is one
// message, sent to each peer and answered with the same: who sends, whom it knows, and records of what it shares.
//  - What changes here goes to every peer that is up, at once.
//  - A process that is new, or has come back, gets everything, some records a message; once a minute everyone does, so
//    that what was lost on the way is made good.
//  - A message goes out every second at least. A peer that fails three times is down, and is tried on.
// What comes is merged: the newer version of a record holds, so that it does not matter how often or in which order it
// comes. There is no authentication, as in Alertmanager: the address is for the peers alone.
//
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/notification_log.h"
#include "alertmanager/silences.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/logging.h"
#include "core/result.h"

namespace pipewarden::alertmanager {

// Sends a message to host:port and gives the answer.
using ClusterSend = std::function<core::Task<core::Result<std::string>>(std::string address, std::string message)>;

struct ClusterOptions {
  std::string name{};     // of this process, no other's; "": a random one. By their names the processes are ordered
  std::string address{};  // host:port where peers reach this one; of a host like 0.0.0.0 they take what they see
  std::vector<std::string> peers{};  // host:port
  core::Duration peer_timeout = std::chrono::seconds(15);
  core::Duration full_interval = std::chrono::minutes(1);  // between two times of sharing everything
  ClusterSend send{};
};

struct ClusterMember {
  std::string name;
  std::string address;
};
struct ClusterView {
  std::string name;
  bool settled = false;
  std::vector<ClusterMember> members;  // that are up, by name; this one among them
};

class Cluster {
 public:
  // The parts handed in outlive the tasks that run in `tasks`.
  Cluster(core::Loop& loop, core::TaskGroup& tasks, Silences& silences, NotificationLog& log, core::Logger logger,
          ClusterOptions options);

  // Looks for the peers from now on.
  void Start();
  // A record of the journal that has changed here.
  void Tell(const std::string& record);
  // What a peer sent from this address, and the answer to it. kInvalid: it is none of ours.
  core::Result<std::string> Receive(std::string_view message, const std::string& source);

  // How long to wait before telling, as things are.
  core::Duration TurnWait() const;
  // Returns when it is this one's turn to tell, as far as nobody before it has told.
  core::Task<void> AwaitTurn();

  ClusterView View() const;

 private:
  struct Peer {
    ClusterMember member;  // the name is empty before its first word
    bool configured = false;
    bool up = false;
    bool sending = false;
    bool tried = false;
    bool wants_all = true;
    int failures = 0;
    core::MonoTime next_try{};
    core::MonoTime last_up{};
    std::vector<std::string> pending;
  };
  using PeerPtr = std::shared_ptr<Peer>;
  struct Message;

  core::Task<void> Beat();
  core::Task<void> SendTo(PeerPtr peer);
  core::Task<bool> SendAll(PeerPtr peer);
  core::Task<bool> SendOne(PeerPtr peer, std::vector<std::string> records, bool was_all);
  void StartSending(const PeerPtr& peer);
  void Answered(const PeerPtr& peer, const Message& answer);
  void Failed(const PeerPtr& peer, const core::Error& error);
  void Learn(const ClusterMember& member);
  void LearnAll(const Message& message);
  void Settle();
  std::string Write(std::vector<std::string> records, bool was_all) const;
  std::vector<ClusterMember> Members() const;

  core::Loop& loop_;
  core::TaskGroup& tasks_;
  Silences& silences_;
  NotificationLog& log_;
  core::Logger logger_;
  ClusterOptions options_;
  std::map<std::string, PeerPtr> peers_;  // by address
  bool merging_ = false;                  // what changes now came from a peer
  bool settled_ = false;
  core::MonoTime started_{};
  core::MonoTime next_full_{};
};

}  // namespace pipewarden::alertmanager
