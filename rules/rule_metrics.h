// The rules' own metrics, in the registry that all of the agent's share. Safe from any thread.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace pipewarden::rules {

class RuleMetrics {
 public:
  explicit RuleMetrics(std::shared_ptr<prometheus::Registry> registry);
  ~RuleMetrics();

  // One evaluation of a group, by its key.
  void Evaluated(const std::string& group, std::size_t rules, std::size_t failures, std::size_t missed, double seconds);
  // One evaluation of some of a group's rules between ticks.
  void Judged(const std::string& group, std::size_t rules, std::size_t failures, double seconds);
  // Iterations of a group left out because one before was still going on.
  void Missed(const std::string& group, std::size_t iterations);
  // The group's series are removed.
  void Forget(const std::string& group);
  void AlertsSent(std::size_t alerts);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::rules
