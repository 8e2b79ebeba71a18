#include "core/net/curl_multi.h"

#include <curl/curl.h>

#include <array>
#include <boost/asio.hpp>
#include <map>
#include <stdexcept>

namespace pipewarden::core {
namespace asio = boost::asio;

namespace {
// A socket of curl's, watched for what curl wants of it. curl owns and closes the descriptor.
struct Watch {
  Watch(const asio::any_io_executor& executor, curl_socket_t fd_) : descriptor(executor, fd_), fd(fd_) {}
  ~Watch() { descriptor.release(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  asio::posix::stream_descriptor descriptor;
  const curl_socket_t fd;
  bool live = true;
  int wanted = CURL_POLL_NONE;
  bool reading = false;  // a wait is under way
  bool writing = false;
};

void InitializeCurl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (done != CURLE_OK) throw std::runtime_error("libcurl does not initialize");
}
}  // namespace

struct CurlMulti::State {
  explicit State(Loop& loop_) : loop(loop_), timer(loop_.executor()) {}

  Loop& loop;
  CURLM* multi = nullptr;
  asio::steady_timer timer;
  bool at_once = false;  // curl's timer is due, and its handler posted
  std::map<curl_socket_t, std::shared_ptr<Watch>> watches;
  std::weak_ptr<CurlMulti> self;

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* context, void*) {
    static_cast<State*>(context)->WatchSocket(fd, what);
    return 0;
  }
  static int OnTimer(CURLM*, long timeout_ms, void* context) {
    static_cast<State*>(context)->SetTimer(timeout_ms);
    return 0;
  }

  void WatchSocket(curl_socket_t fd, int what);
  void Arm(const std::shared_ptr<Watch>& watch);
  void Wait(const std::shared_ptr<Watch>& watch, bool write);
  void SetTimer(long timeout_ms);
  void Act(curl_socket_t fd, int events);
  void TakeFinished();
};

struct CurlMulti::Transfer {
  Transfer(std::shared_ptr<CurlMulti> owner_, CURL* easy_)
      : owner(std::move(owner_)),
        easy(easy_),
        ended(owner->state_->loop.executor(), asio::steady_timer::time_point::max()) {
    error_text.front() = '\0';
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text.data());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A cancelled transfer must not wait for its resolver's thread: with a name server that hangs the loop would stand.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  }
  ~Transfer() {
    if (!finished) curl_multi_remove_handle(owner->state_->multi, easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, nullptr);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  std::shared_ptr<CurlMulti> owner;
  CURL* easy;
  asio::steady_timer ended;
  bool finished = false;
  CURLcode code = CURLE_OK;
  std::array<char, CURL_ERROR_SIZE> error_text{};
};

void CurlMulti::State::WatchSocket(curl_socket_t fd, int what) {
  const auto known = watches.find(fd);
  if (what == CURL_POLL_REMOVE) {
    if (known == watches.end()) return;
    known->second->live = false;
    known->second->descriptor.release();  // waits under way end; the descriptor stays open for curl
    watches.erase(known);
    return;
  }
  std::shared_ptr<Watch> watch;
  if (known != watches.end()) {
    watch = known->second;
  } else {
    watch = std::make_shared<Watch>(loop.executor(), fd);
    watches.emplace(fd, watch);
  }
  watch->wanted = what;
  Arm(watch);
}

void CurlMulti::State::Arm(const std::shared_ptr<Watch>& watch) {
  if ((watch->wanted & CURL_POLL_IN) != 0 && !watch->reading) Wait(watch, false);
  if ((watch->wanted & CURL_POLL_OUT) != 0 && !watch->writing) Wait(watch, true);
}

void CurlMulti::State::Wait(const std::shared_ptr<Watch>& watch, bool write) {
  (write ? watch->writing : watch->reading) = true;
  watch->descriptor.async_wait(
      write ? asio::posix::descriptor_base::wait_write : asio::posix::descriptor_base::wait_read,
      [owner = self, watch, write](boost::system::error_code error) {
        (write ? watch->writing : watch->reading) = false;
        const auto alive = owner.lock();
        if (error || alive == nullptr || !watch->live) return;
        State& state = *alive->state_;
        if ((watch->wanted & (write ? CURL_POLL_OUT : CURL_POLL_IN)) != 0)
          state.Act(watch->fd, write ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
        if (watch->live) state.Arm(watch);
      });
}

void CurlMulti::State::SetTimer(long timeout_ms) {
  timer.cancel();
  at_once = timeout_ms == 0;
  if (timeout_ms < 0) return;
  if (at_once) {  // curl must not be called from within its callback; a timer would be a system call and a wake-up
    asio::post(loop.executor(), [owner = self] {
      const auto alive = owner.lock();
      if (alive != nullptr && std::exchange(alive->state_->at_once, false)) alive->state_->Act(CURL_SOCKET_TIMEOUT, 0);
    });
    return;
  }
  timer.expires_after(std::chrono::milliseconds(timeout_ms));
  timer.async_wait([owner = self](boost::system::error_code error) {
    const auto alive = owner.lock();
    if (!error && alive != nullptr) alive->state_->Act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlMulti::State::Act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi, fd, events, &running);
  TakeFinished();
}

void CurlMulti::State::TakeFinished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->code = message->data.result;
    transfer->finished = true;
    curl_multi_remove_handle(multi, transfer->easy);  // `message` is gone after this
    transfer->ended.cancel();
  }
}

CurlMulti::CurlMulti(Loop& loop) : state_(std::make_unique<State>(loop)) {
  InitializeCurl();
  state_->multi = curl_multi_init();
  if (state_->multi == nullptr) throw std::bad_alloc();
  curl_multi_setopt(state_->multi, CURLMOPT_SOCKETFUNCTION, &State::OnSocket);
  curl_multi_setopt(state_->multi, CURLMOPT_SOCKETDATA, state_.get());
  curl_multi_setopt(state_->multi, CURLMOPT_TIMERFUNCTION, &State::OnTimer);
  curl_multi_setopt(state_->multi, CURLMOPT_TIMERDATA, state_.get());
  curl_multi_setopt(state_->multi, CURLMOPT_MAXCONNECTS, 16L);
}

std::shared_ptr<CurlMulti> CurlMulti::Make(Loop& loop) {
  std::shared_ptr<CurlMulti> multi(new CurlMulti(loop));
  multi->state_->self = multi;
  return multi;
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(state_->multi);
  for (auto& [fd, watch] : state_->watches) watch->live = false;
}

Task<CurlMulti::Outcome> CurlMulti::Run(void* easy_handle) {
  const auto self = shared_from_this();
  Transfer transfer(self, easy_handle);
  Outcome outcome;
  if (const CURLMcode added = curl_multi_add_handle(state_->multi, transfer.easy); added != CURLM_OK) {
    transfer.finished = true;
    outcome.code = CURLE_FAILED_INIT;
    outcome.message = curl_multi_strerror(added);
    co_return outcome;
  }
  auto [error] = co_await transfer.ended.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!transfer.finished) throw boost::system::system_error(error);  // cancelled
  outcome.code = transfer.code;
  if (transfer.code != CURLE_OK) {
    outcome.message = transfer.error_text.data();
    if (outcome.message.empty()) outcome.message = curl_easy_strerror(transfer.code);
  }
  co_return outcome;
}

}  // namespace pipewarden::core
