// The operational events of a stretch, put together by who is told of them.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/alerts/mail_text.h"

namespace hookd {

// At the bound the window is closed at once; what comes later is for the next one.
inline constexpr size_t kMaxWindowEvents = 4'096;

class MailWindow {
 public:
  // False: nobody is told of it, or it is no operational event.
  bool Add(const Event& event);
  bool full() const { return events_ >= kMaxWindowEvents; }
  bool empty() const { return events_ == 0; }
  const std::map<std::string, MailDigest>& groups() const { return groups_; }
  // No more of its recipients need it.
  void Drop(const std::string& group) { groups_.erase(group); }

 private:
  std::map<std::string, MailDigest> groups_;
  size_t events_ = 0;  // that somebody is told of
};

}  // namespace hookd
