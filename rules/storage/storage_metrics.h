// The storage's own metrics, in the registry that all of the agent's share. Safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace prometheus {
class Registry;
}

namespace pipewarden::rules {

class StorageMetrics {
 public:
  explicit StorageMetrics(std::shared_ptr<prometheus::Registry> registry);
  ~StorageMetrics();

  void Appended(std::size_t samples);
  void DroppedSamples(std::string_view reason, std::size_t samples);
  void DroppedSeries(std::string_view source);
  void ClockStep();
  void LogDamaged();
  void FileSetAside();
  void WriteFailed();
  void SetSeries(std::size_t series);
  void SetDisk(std::uint64_t bytes, std::size_t segments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::rules
