// Telemetry that says nothing and keeps the totals, for tests of what reports to it. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

class NullTelemetry : public Telemetry {
 public:
  void EventsAccepted(uint64_t events, uint64_t, uint64_t) override { accepted_ += events; }
  void EventRejected(std::string_view) override {}
  void Committed(std::chrono::microseconds, size_t, size_t) override {}
  void AttemptDone(const AttemptEvent& event) override {
    if (event.attempt->error != ErrorKind::kNone) ++failed_;
  }
  void DeliveriesEnded(DeliveryState state, uint64_t count) override {
    if (state == DeliveryState::kSucceeded) succeeded_ += count;
  }
  void BatchFormed(size_t members) override {
    ++batches_;
    batched_ += members;
  }
  uint64_t batches() const { return batches_; }
  uint64_t batched() const { return batched_; }
  void ProbeDone(ErrorKind) override {}
  void JobProgress(uint64_t, uint64_t) override {}
  void JobEnded(JobEnd) override {}
  void AuthFailed(AuthFailure failure) override { ++auth_failures_[static_cast<size_t>(failure)]; }
  uint64_t auth_failures(AuthFailure failure) const { return auth_failures_[static_cast<size_t>(failure)]; }
  void Alert(AlertKind kind, EndpointId, std::string_view, std::string_view) override {
    ++alerts_[static_cast<size_t>(kind)];
  }
  uint64_t alerts(AlertKind kind) const { return alerts_[static_cast<size_t>(kind)]; }
  void MailTried(MailResult result) override { ++mails_[static_cast<size_t>(result)]; }
  uint64_t mails(MailResult result) const { return mails_[static_cast<size_t>(result)]; }
  void Info(std::string_view, std::string_view) override {}
  void Warn(std::string_view, std::string_view) override {}
  void Error(std::string_view, std::string_view) override {}
  void Fatal(std::string_view, std::string_view) override {}
  Totals Since() const override { return {accepted_, succeeded_, failed_}; }
  bool ReopenLog(const std::string&) override { return true; }
  void SetGauges(std::function<Gauges()>) override {}
  std::string Scrape() const override { return ""; }

 private:
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> succeeded_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> batches_{0};
  std::atomic<uint64_t> batched_{0};
  std::array<std::atomic<uint64_t>, kAlertKinds> alerts_{};
  std::array<std::atomic<uint64_t>, kAuthFailures> auth_failures_{};
  std::array<std::atomic<uint64_t>, kMailResults> mails_{};
};

}  // namespace hookd
