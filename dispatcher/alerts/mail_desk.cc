#include "dispatcher/alerts/mail_desk.h"

#include <algorithm>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/backoff.h"
#include "dispatcher/core/operational_event.h"

namespace hookd {
namespace {

// Of one read.
constexpr size_t kMailPageEvents = 256;
constexpr size_t kMailPageBytes = 1024 * 1024;
// After trouble of the store.
constexpr Millis kMailPause{1'000};
// The cursor follows the traffic at least so often: a start reads what came after it.
constexpr Millis kCursorEvery{60'000};

Backoff Exponential(Millis step, double factor, Millis cap) {
  Backoff backoff;
  backoff.kind = BackoffKind::kExponential;
  backoff.step = step;
  backoff.factor = factor;
  backoff.cap = cap;
  return backoff;
}

// While the server cannot be used at all: 5 s, 10 s, ... 5 min.
const Backoff& ServerBackoff() {
  static const Backoff backoff = Exponential(Millis(5'000), 2, Millis(300'000));
  return backoff;
}

// Of a recipient that it does not take: 1 min, 3 min, 9 min, 27 min, 30 min ...
const Backoff& RecipientBackoff() {
  static const Backoff backoff = Exponential(Millis(60'000), 3, Millis(1'800'000));
  return backoff;
}

std::string Whom(const std::string& group, const std::string& address) {
  return group == kOperatorsGroup ? Concat("operator ", address) : Concat(address, " of subscriber ", group);
}

}  // namespace

MailDesk::MailDesk(MailOptions options, MailTemplates templates, Engine& engine, MailSender& sender,
                   const Clock& clock, Telemetry& telemetry, uint64_t seed)
    : options_(std::move(options)),
      domain_(options_.from.substr(options_.from.find('@') + 1)),
      templates_(std::move(templates)),
      engine_(engine),
      sender_(sender),
      clock_(clock),
      telemetry_(telemetry),
      random_(seed) {
  const Now now = clock_.Read();
  const std::string stored = engine_.MailCursor();
  absl::StatusOr<MailCursor> cursor = ParseMailCursor(stored);
  if (cursor.ok()) {
    cursor_ = *std::move(cursor);
  } else {
    if (!stored.empty()) {
      telemetry_.Error("alert.mail",
                       Concat(std::string(cursor.status().message()), ": mails go on from now"));
    }
    cursor_.after = EventId::Make(now.wall, 0, 0, 0);
    unsaved_ = true;
  }
  deferred_due_.assign(cursor_.deferred.size(), now.steady);
  read_ = saved_after_ = cursor_.after;
  saved_ = now.steady;
  CountBacklog();
}

Duration MailDesk::Step() {
  const Duration wait = DoStep();
  CountBacklog();
  return wait;
}

Duration MailDesk::DoStep() {
  if (unsaved_ && !Save()) return kMailPause;
  const Now now = clock_.Read();
  if (now.steady < server_due_) return server_due_ - now.steady;
  for (size_t i = 0; i < deferred_due_.size(); ++i) {
    if (deferred_due_[i] <= now.steady) return SendDeferred(i);
  }
  if (!cursor_.until) return Gather(now);
  if (read_ < *cursor_.until) {
    const absl::Status read = ReadPage();
    if (read.ok()) return Duration::zero();
    telemetry_.Warn("alert.mail", Concat("events cannot be read: ", std::string(read.message())));
    return kMailPause;
  }
  return SendNext();
}

absl::Status MailDesk::ReadPage() {
  const EventId newest = engine_.newest_events().any;
  EventQuery query;
  query.subscriber_id = std::string(kOperationsSubscriber);
  query.delivered_only = false;
  query.after = read_;
  query.limit = kMailPageEvents;
  query.max_bytes = kMailPageBytes;
  if (cursor_.until) query.accepted_before_ms = cursor_.until->accepted_ms() + 1;
  ASSIGN_OR_RETURN(const EventPage page, engine_.ListEvents(query));
  const Now now = clock_.Read();
  for (const std::shared_ptr<const Event>& event : page.events) {
    if (cursor_.until && *cursor_.until < event->id) break;
    // A closed window was not fuller than this when it was closed.
    if (!cursor_.until && window_.full()) return absl::OkStatus();
    const bool first = window_.empty();
    read_ = event->id;
    if (!window_.Add(*event) || !first) continue;
    const Millis waited(now.wall - event->id.accepted_ms());
    close_at_ = now.steady + std::clamp(options_.digest_after - waited, Millis(0), options_.digest_after);
  }
  read_ = std::max(read_, page.last);
  if (page.more) return absl::OkStatus();
  // What was there when the read began has been read.
  if (cursor_.until) {
    read_ = *cursor_.until;
  } else {
    read_ = std::max(read_, newest);
    caught_up_ = true;
  }
  return absl::OkStatus();
}

Duration MailDesk::Gather(Now now) {
  const NewestEvents newest = engine_.newest_events();
  const bool full = window_.full();
  if (!full && (!caught_up_ || newest.operational > read_)) {
    const absl::Status read = ReadPage();
    if (read.ok()) return Duration::zero();
    telemetry_.Warn("alert.mail", Concat("events cannot be read: ", std::string(read.message())));
    return kMailPause;
  }
  // Everything up to the newest is somebody else's.
  if (!full) read_ = std::max(read_, newest.any);
  if (window_.empty()) {
    cursor_.after = read_;
    if (saved_after_ != read_ && now.steady - saved_ >= kCursorEvery) Save();
  } else if (full || now.steady >= close_at_) {
    Close();
    return Duration::zero();
  } else if (close_at_ - now.steady < kMailPoll) {
    return close_at_ - now.steady;
  }
  Duration wait = kMailPoll;
  for (const SteadyTime due : deferred_due_) wait = std::min(wait, due - now.steady);
  return wait;
}

// On disk before the first message goes: after a crash the same events make the same messages.
void MailDesk::Close() {
  cursor_.until = read_;
  cursor_.begun = false;
  Save();
}

absl::StatusOr<std::vector<std::string>> MailDesk::AddressesOf(const std::string& group) {
  std::vector<std::string> addresses = options_.operators;
  if (group != kOperatorsGroup) {
    const absl::StatusOr<SubscriberView> subscriber = engine_.GetSubscriber(group);
    if (absl::IsNotFound(subscriber.status())) return std::vector<std::string>();
    if (!subscriber.ok()) return subscriber.status();
    addresses = subscriber->subscriber.alert_addresses;
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

absl::StatusOr<std::optional<MailDesk::Target>> MailDesk::NextTarget() {
  while (!window_.groups().empty()) {
    const std::string group = window_.groups().begin()->first;
    if (!cursor_.begun || group >= cursor_.group) {
      const bool begun = cursor_.begun && group == cursor_.group;
      ASSIGN_OR_RETURN(const std::vector<std::string> addresses, AddressesOf(group));
      for (const std::string& address : addresses) {
        if (!begun || address > cursor_.address) return Target{group, address};
      }
    }
    window_.Drop(group);
  }
  return std::nullopt;
}

Duration MailDesk::SendNext() {
  const absl::StatusOr<std::optional<Target>> next = NextTarget();
  if (!next.ok()) {
    telemetry_.Warn("alert.mail",
                    Concat("a subscriber cannot be read: ", std::string(next.status().message())));
    return kMailPause;
  }
  if (!*next) {
    cursor_.after = *cursor_.until;
    cursor_.until.reset();
    cursor_.begun = false;
    cursor_.group.clear();
    cursor_.address.clear();
    window_ = MailWindow();
    Save();
    return Duration::zero();
  }
  const Target& target = **next;
  const MailDigest& digest = window_.groups().at(target.group);
  const MailAnswer answer = Send(digest, target.group, target.address);
  if (answer.kind == MailAnswer::Kind::kTrouble) return ServerFailed(answer);
  server_failures_ = 0;
  if (answer.kind != MailAnswer::Kind::kSent && MayTryAgain(answer, 1, target.group, target.address)) {
    cursor_.deferred.push_back({1, digest.first, digest.last, target.group, target.address});
    deferred_due_.push_back(DeferredDue(1));
  }
  cursor_.begun = true;
  cursor_.group = target.group;
  cursor_.address = target.address;
  Save();
  return Duration::zero();
}

Duration MailDesk::SendDeferred(size_t index) {
  DeferredMail& mail = cursor_.deferred[index];
  const absl::StatusOr<MailDigest> digest = ReadDigest(mail);
  const absl::StatusOr<std::vector<std::string>> addresses = AddressesOf(mail.group);
  if (!digest.ok() || !addresses.ok()) {
    const absl::Status& failed = digest.ok() ? addresses.status() : digest.status();
    telemetry_.Warn("alert.mail", Concat("a message cannot be made again: ", std::string(failed.message())));
    deferred_due_[index] = clock_.Steady() + kMailPause;
    return Duration::zero();
  }
  const bool still_wanted = std::find(addresses->begin(), addresses->end(), mail.address) != addresses->end();
  if (still_wanted && digest->count > 0) {
    const MailAnswer answer = Send(*digest, mail.group, mail.address);
    if (answer.kind == MailAnswer::Kind::kTrouble) return ServerFailed(answer);
    server_failures_ = 0;
    if (answer.kind != MailAnswer::Kind::kSent &&
        MayTryAgain(answer, mail.tries + 1, mail.group, mail.address)) {
      deferred_due_[index] = DeferredDue(++mail.tries);
      Save();
      return Duration::zero();
    }
  }
  cursor_.deferred.erase(cursor_.deferred.begin() + static_cast<std::ptrdiff_t>(index));
  deferred_due_.erase(deferred_due_.begin() + static_cast<std::ptrdiff_t>(index));
  Save();
  return Duration::zero();
}

absl::StatusOr<MailDigest> MailDesk::ReadDigest(const DeferredMail& mail) {
  MailDigest digest;
  EventQuery query;
  query.subscriber_id = std::string(kOperationsSubscriber);
  query.delivered_only = false;
  query.accepted_from_ms = mail.first.accepted_ms();
  query.accepted_before_ms = mail.last.accepted_ms() + 1;
  query.limit = kMailPageEvents;
  query.max_bytes = kMailPageBytes;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const EventPage page, engine_.ListEvents(query));
    for (const std::shared_ptr<const Event>& event : page.events) {
      if (event->id < mail.first || mail.last < event->id) continue;
      const absl::StatusOr<OperationalEvent> parsed = ParseOperationalPayload(event->payload);
      if (!parsed.ok()) continue;
      for (const std::string& group : GroupsOf(*parsed)) {
        if (group == mail.group) digest.Add(event->id, *parsed);
      }
    }
    query.after = page.last;
    more = page.more;
  }
  return digest;
}

MailAnswer MailDesk::Send(const MailDigest& digest, const std::string& group, const std::string& address) {
  MailText text = RenderMail(templates_, group, digest);
  Mail mail;
  mail.from = options_.from;
  mail.to = address;
  mail.subject = std::move(text.subject);
  mail.body = std::move(text.body);
  mail.message_id = MessageId(digest, group, address, domain_);
  mail.references = IncidentReference(digest, domain_);
  mail.date_ms = clock_.Wall();
  MailAnswer answer = sender_.Send(mail);
  if (answer.kind == MailAnswer::Kind::kSent) {
    telemetry_.MailTried(MailResult::kSent);
    telemetry_.Info("alert.mail", Concat("sent to ", Whom(group, address), ", ", digest.count, " events, ",
                                         mail.message_id));
  }
  return answer;
}

Duration MailDesk::ServerFailed(const MailAnswer& answer) {
  telemetry_.MailTried(MailResult::kRetried);
  const double unit = std::uniform_real_distribution<double>(0, 1)(random_);
  const Millis wait = RetryDelay(ServerBackoff(), ++server_failures_, unit);
  server_due_ = clock_.Steady() + wait;
  telemetry_.Warn("alert.mail", Concat("the mail server cannot be used, tried again in ", wait.count() / 1000,
                                       " s: ", answer.detail));
  return wait;
}

bool MailDesk::MayTryAgain(const MailAnswer& answer, uint32_t tries, const std::string& group,
                           const std::string& address) {
  const uint32_t most = answer.kind == MailAnswer::Kind::kRefused ? kMaxRefusedTries : kMaxPostponedTries;
  const bool room = tries > 1 || cursor_.deferred.size() < kMaxDeferredMails;
  if (tries < most && room) {
    telemetry_.MailTried(MailResult::kRetried);
    telemetry_.Warn("alert.mail",
                    Concat("not taken for ", Whom(group, address), ", tried again later: ", answer.detail));
    return true;
  }
  telemetry_.MailTried(MailResult::kRefused);
  telemetry_.Error("alert.mail", Concat("given up for ", Whom(group, address), " after ", tries,
                                        tries == 1 ? " try: " : " tries: ", answer.detail));
  return false;
}

SteadyTime MailDesk::DeferredDue(uint32_t tries) {
  const double unit = std::uniform_real_distribution<double>(0, 1)(random_);
  return clock_.Steady() + RetryDelay(RecipientBackoff(), tries, unit);
}

bool MailDesk::Save() {
  unsaved_ = true;
  const absl::Status saved = engine_.SaveMailCursor(ToText(cursor_));
  if (!saved.ok()) return false;  // hookd ends, or shuts down
  unsaved_ = false;
  saved_ = clock_.Steady();
  saved_after_ = cursor_.after;
  return true;
}

void MailDesk::CountBacklog() {
  size_t left = cursor_.deferred.size();
  for (const auto& [group, digest] : window_.groups()) {
    left += group == kOperatorsGroup ? options_.operators.size() : 1;
  }
  backlog_.store(left, std::memory_order_relaxed);
}

}  // namespace hookd
