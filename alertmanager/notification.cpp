#include "alertmanager/notification.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

namespace pipewarden::alertmanager {
namespace {

// Common to all: starts from the first alert's and drops what another one lacks or has otherwise.
template <class Get>
core::Labels Common(const std::vector<core::Alert>& alerts, Get get) {
  if (alerts.empty()) return {};
  core::Labels common = get(alerts.front());
  for (const core::Alert& alert : alerts) {
    if (common.empty()) break;
    core::Labels kept;
    for (const core::LabelView label : common)
      if (get(alert).Get(label.name) == label.value) kept.Set(label.name, label.value);
    common = std::move(kept);
  }
  return common;
}

// Fewer labels first; then by the first name, in order, that one lacks or where values differ.
bool LabelsBefore(const core::Labels& a, const core::Labels& b) {
  if (a.size() != b.size()) return a.size() < b.size();
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    const core::LabelView one = *left;
    const core::LabelView other = *right;
    if (one.name != other.name) return one.name > other.name;  // the one that lacks the smaller name goes first
    if (one.value != other.value) return one.value < other.value;
  }
  return false;
}

}  // namespace

bool Notification::resolved() const { return std::ranges::all_of(alerts, &Notification::Resolved); }

std::size_t Notification::FiringCount() const {
  return static_cast<std::size_t>(std::ranges::count_if(alerts, [](const core::Alert& a) { return !Resolved(a); }));
}

std::string Notification::ReceiverForDisplay() const {
  std::string out;
  for (const char c : receiver) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string Notification::DedupKey() const {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(group_key.data()), group_key.size(), digest.data());
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xFU];
  }
  return out;
}

std::string FingerprintText(std::uint64_t fingerprint) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, fingerprint);
  return text;
}

void SetCommon(Notification& notification) {
  const auto labels = [](const core::Alert& alert) -> const core::Labels& { return alert.labels; };
  const auto annotations = [](const core::Alert& alert) -> const core::Labels& { return alert.annotations; };
  notification.common_labels = Common(notification.alerts, labels);
  notification.common_annotations = Common(notification.alerts, annotations);
}

bool AlertBefore(const core::Alert& a, const core::Alert& b) {
  for (const std::string_view name : {"job", "instance"}) {
    const std::string_view left = a.labels.Get(name);
    const std::string_view right = b.labels.Get(name);
    if (left == right) continue;
    if (left.empty()) return false;
    if (right.empty()) return true;
    return left < right;
  }
  return LabelsBefore(a.labels, b.labels);
}

}  // namespace pipewarden::alertmanager
