#include "dispatcher/alerts/smtp_sender.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/transport/curl_handles.h"

namespace hookd {
namespace {

// A server that ends idle connections does so later than this.
constexpr long kMaxIdleMailSeconds = 20;
// Of the server's last line, in our words about it.
constexpr size_t kKeptReplyBytes = 200;
constexpr long kServiceUnavailable = 421;

using List = std::unique_ptr<curl_slist, FreeWith<curl_slist_free_all>>;

class SmtpSender final : public MailSender {
 public:
  explicit SmtpSender(SmtpOptions options) : options_(std::move(options)), easy_(curl_easy_init()) {
    HOOKD_CHECK(easy_ != nullptr, "out of memory, or InitCurl was not called");
    const bool tls = options_.tls == MailTls::kTls;
    url_ = Concat(tls ? "smtps://" : "smtp://", options_.server);
    CURL* e = easy_.get();
    curl_easy_setopt(e, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_PROXY, "");  // or the environment's would count
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, message_.data());
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, kMaxIdleMailSeconds);
    // A name server that is silent does not hold up a stop.
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_USE_SSL,
                     static_cast<long>(options_.tls == MailTls::kOff ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(e, CURLOPT_CAPATH, nullptr);
    if (!options_.ca_file.empty()) curl_easy_setopt(e, CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!options_.user.empty()) {
      curl_easy_setopt(e, CURLOPT_USERNAME, options_.user.c_str());
      curl_easy_setopt(e, CURLOPT_PASSWORD, options_.password.c_str());
    }
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, &SmtpSender::OnRead);
    curl_easy_setopt(e, CURLOPT_READDATA, this);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &SmtpSender::OnReply);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, &SmtpSender::OnProgress);
    curl_easy_setopt(e, CURLOPT_XFERINFODATA, this);
    // For the name of the command that the server refused: libcurl's code is the same for most of them.
    curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, &SmtpSender::OnDebug);
    curl_easy_setopt(e, CURLOPT_DEBUGDATA, this);
  }

  MailAnswer Send(const Mail& mail) override {
    if (aborted_) return {MailAnswer::Kind::kTrouble, "hookd shuts down"};
    text_ = ComposeMail(mail);
    sent_ = 0;
    quits_ = false;
    command_.clear();
    reply_.clear();
    message_[0] = '\0';
    const std::string from = Concat("<", mail.from, ">");
    const List to(curl_slist_append(nullptr, Concat("<", mail.to, ">").c_str()));
    CURL* e = easy_.get();
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, to.get());
    curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(text_.size()));
    const CURLcode code = curl_easy_perform(e);
    long status = 0;
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, nullptr);
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, nullptr);
    return Judge(code, status);
  }

  void Abort() override { aborted_ = true; }

 private:
  MailAnswer Judge(CURLcode code, long status) const {
    if (code == CURLE_OK) return {};
    if (aborted_) return {MailAnswer::Kind::kTrouble, "hookd shuts down"};
    const bool replied = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY;
    const bool about_this = command_ == "RCPT" || command_ == "DATA";
    if (replied && about_this && status >= 400 && status < 600 && status != kServiceUnavailable) {
      return {status < 500 ? MailAnswer::Kind::kPostponed : MailAnswer::Kind::kRefused,
              Concat(command_, ": ", reply_)};
    }
    std::string detail = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
    if (replied && !reply_.empty()) detail = Concat(command_, ": ", reply_);
    return {MailAnswer::Kind::kTrouble, OneLine(detail)};
  }

  static size_t OnRead(char* to, size_t size, size_t count, void* self) {
    auto& sender = *static_cast<SmtpSender*>(self);
    const size_t length = std::min(size * count, sender.text_.size() - sender.sent_);
    std::memcpy(to, sender.text_.data() + sender.sent_, length);
    sender.sent_ += length;
    return length;
  }

  static size_t OnReply(char* line, size_t size, size_t count, void* self) {
    auto& sender = *static_cast<SmtpSender*>(self);
    std::string_view text(line, size * count);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (!sender.quits_) sender.reply_ = OneLine(text.substr(0, kKeptReplyBytes));
    return size * count;
  }

  // The first word alone: what follows may be a password.
  static int OnDebug(CURL*, curl_infotype type, char* data, size_t size, void* self) {
    if (type != CURLINFO_HEADER_OUT) return 0;
    auto& sender = *static_cast<SmtpSender*>(self);
    const std::string_view text(data, size);
    const std::string_view command = text.substr(0, std::min<size_t>(4, text.find_first_of(" \r\n")));
    sender.quits_ |= command == "QUIT";
    if (!sender.quits_) sender.command_ = command;
    return 0;
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<SmtpSender*>(self)->aborted_ ? 1 : 0;
  }

  const SmtpOptions options_;
  std::string url_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  // Of the message under way.
  std::string text_;
  size_t sent_ = 0;
  bool quits_ = false;   // after a failure libcurl takes its leave: neither counts
  std::string command_;  // the last one
  std::string reply_;    // the last line
  std::atomic<bool> aborted_{false};
  const EasyHandle easy_;
};

}  // namespace

std::unique_ptr<MailSender> MakeSmtpSender(SmtpOptions options) {
  return std::make_unique<SmtpSender>(std::move(options));
}

}  // namespace hookd
