// What is mailed, to whom and when: reads the operational events behind a durable cursor, and sends one
// message after the other. One thread; without a thread of its own, so that tests go through it step by step.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/alerts/mail_cursor.h"
#include "dispatcher/alerts/mail_sender.h"
#include "dispatcher/alerts/mail_template.h"
#include "dispatcher/alerts/mail_window.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

struct MailOptions {
  std::string from;                    // addresses that have passed CheckMailAddress
  std::vector<std::string> operators;  // likewise
  Millis digest_after{30'000};
};

// How often a step that finds nothing to do is repeated.
inline constexpr Millis kMailPoll{1'000};
// Tries of a message that the server refuses for good, and for now.
inline constexpr uint32_t kMaxRefusedTries = 5;
inline constexpr uint32_t kMaxPostponedTries = 50;

class MailDesk {
 public:
  // All outlive it. Reads the cursor of the engine, which has started; without one, it begins with what
  // happens from now on.
  MailDesk(MailOptions options, MailTemplates templates, Engine& engine, MailSender& sender,
           const Clock& clock, Telemetry& telemetry, uint64_t seed);

  // Does one thing, at most one message or one read of a page. Returns how long it then has nothing to do.
  Duration Step();

  // Any thread: recipients of the messages at hand that have not got theirs.
  size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }

 private:
  struct Target {
    std::string group;
    std::string address;
  };

  Duration DoStep();
  // Adds the events behind `read_` to the window: of the closed one until its end, else all that there are
  // and fit.
  absl::Status ReadPage();
  Duration Gather(Now now);
  void Close();
  Duration SendNext();
  Duration SendDeferred(size_t index);
  // The recipient after the last one; nullopt = the window is done.
  absl::StatusOr<std::optional<Target>> NextTarget();
  // In order, each once. NOT_FOUND of a subscriber is nobody.
  absl::StatusOr<std::vector<std::string>> AddressesOf(const std::string& group);
  // What is left of the events of a deferred message.
  absl::StatusOr<MailDigest> ReadDigest(const DeferredMail& mail);
  MailAnswer Send(const MailDigest& digest, const std::string& group, const std::string& address);
  Duration ServerFailed(const MailAnswer& answer);
  // Counts and logs; false: it is given up.
  bool MayTryAgain(const MailAnswer& answer, uint32_t tries, const std::string& group,
                   const std::string& address);
  SteadyTime DeferredDue(uint32_t tries);
  bool Save();
  void CountBacklog();

  const MailOptions options_;
  const std::string domain_;  // of `from`
  const MailTemplates templates_;
  Engine& engine_;
  MailSender& sender_;
  const Clock& clock_;
  Telemetry& telemetry_;
  std::mt19937_64 random_;

  MailCursor cursor_;
  std::vector<SteadyTime> deferred_due_;  // of cursor_.deferred
  bool unsaved_ = false;
  SteadyTime saved_;        // when, and
  EventId saved_after_;     // how far it was then
  EventId read_;            // every event up to it is in the window or passed over
  bool caught_up_ = false;  // with what there was when it started
  MailWindow window_;
  SteadyTime close_at_;  // of the window, unless it is empty
  uint32_t server_failures_ = 0;
  SteadyTime server_due_;
  std::atomic<size_t> backlog_{0};
};

}  // namespace hookd
