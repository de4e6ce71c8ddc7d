#include "dispatcher/api/capture_watch.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "dispatcher/api/capture_service.h"
#include "dispatcher/api/grpc_status.h"

namespace hookd {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("shutting down: the bins end with it"); }

struct Refused final : grpc::ServerWriteReactor<v1::CapturedRequest> {
  explicit Refused(const absl::Status& why) { Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<v1::CapturedRequest>* CaptureWatch::Start(std::shared_ptr<FeedContext> feed,
                                                                   BinStore& bins, FindBin find,
                                                                   std::optional<uint64_t> after_number,
                                                                   StillAllowed allowed) {
  if (feed->watchers.fetch_add(1) >= kMaxWatchers) {
    feed->watchers.fetch_sub(1);
    return new Refused(absl::ResourceExhaustedError(
        absl::StrCat("there are ", kMaxWatchers, " watchers, end one of them or try again later")));
  }
  auto call = std::make_shared<CaptureWatch>(feed, bins, std::move(allowed));
  if (!feed->calls.Add(call)) return new Refused(ShuttingDown());
  feed->Post([call, find = std::move(find), after_number] { call->Begin(find, after_number); });
  return call.get();
}

void CaptureWatch::Begin(const FindBin& find, std::optional<uint64_t> after_number) {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
  }
  const absl::StatusOr<std::string> bin = find();
  if (!bin.ok()) return End(bin.status());
  const absl::StatusOr<BinView> view = bins_.Get(*bin);
  if (!view.ok()) return End(view.status());
  bin_ = *bin;
  after_ = after_number.value_or(view->newest);
  {
    absl::MutexLock lock(&mutex_);
    if (!finished_) StartSendInitialMetadata();  // that it watches, also before anything comes
  }
  Step();
}

void CaptureWatch::PostStep() {
  feed_->Post([self = shared_from_this()] { self->Step(); });
}

void CaptureWatch::Step() {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || writing_) return;
  }
  const absl::StatusOr<CapturedPtr> next = bins_.Next(bin_, after_, [feed = feed_, weak = weak_from_this()] {
    if (const std::shared_ptr<CaptureWatch> self = weak.lock()) self->PostStep();
  });
  if (!next.ok()) return End(next.status());
  if (*next == nullptr) return;
  if (absl::Status over = allowed_ == nullptr ? absl::OkStatus() : allowed_(); !over.ok()) return End(over);
  after_ = (*next)->number;
  response_ = ToProto(**next, true);
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  writing_ = true;
  StartWrite(&response_);
}

void CaptureWatch::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the stream broke"));
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
  }
  PostStep();
}

void CaptureWatch::OnCancel() { End(absl::CancelledError("canceled")); }

void CaptureWatch::StopIntake() { End(ShuttingDown()); }

void CaptureWatch::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpc(status));
}

void CaptureWatch::OnDone() { feed_->calls.Remove(this); }

}  // namespace hookd
