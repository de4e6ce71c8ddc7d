#include "dispatcher/transport/resolver.h"

#include <netdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <arpa/inet.h>
#include <boost/asio/post.hpp>

#include "base/check.h"

namespace hookd {
namespace {

// c-ares doubles the timeout with each try: 2 s + 4 s for a server that never answers.
constexpr int kQueryTimeoutMs = 2'000;
constexpr int kTries = 2;

std::string TextOf(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof(text));
  }
  return text;
}

}  // namespace

// c-ares owns the socket; this only watches it.
struct Resolver::Watch {
  explicit Watch(boost::asio::io_context& io) : descriptor(io) {}
  ~Watch() {
    if (descriptor.is_open()) descriptor.release();
  }

  boost::asio::posix::stream_descriptor descriptor;
  bool want_read = false;
  bool want_write = false;
  bool reading = false;  // a wait is under way
  bool writing = false;
};

Resolver::Resolver(boost::asio::io_context& io, const Clock& clock, std::vector<std::string> servers,
                   std::string resolv_conf, uint16_t port)
    : io_(io),
      clock_(clock),
      servers_(std::move(servers)),
      resolv_conf_(std::move(resolv_conf)),
      port_(port),
      timer_(io) {
  Open();
}

Resolver::~Resolver() { Close(); }

void Resolver::Open() {
  stamp_ = StampOf(resolv_conf_);
  broken_.clear();
  char lookups[] = "fb";  // /etc/hosts, then DNS
  std::string resolv_conf = resolv_conf_;
  ares_options options{};
  // A receiver's name under a domain of this machine's search list would be another host.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.ndomains = 0;
  options.udp_port = port_;
  options.tcp_port = port_;
  options.timeout = kQueryTimeoutMs;
  options.tries = kTries;
  options.lookups = lookups;
  options.resolvconf_path = resolv_conf.data();
  options.sock_state_cb = &Resolver::OnSocketState;
  options.sock_state_cb_data = this;
  int status = ares_init_options(&channel_, &options,
                                 ARES_OPT_FLAGS | ARES_OPT_DOMAINS | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
                                     ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                     ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
  } else if (!servers_.empty()) {
    status = ares_set_servers_ports_csv(channel_, absl::StrJoin(servers_, ",").c_str());
  }
  if (status != ARES_SUCCESS) {
    broken_ = absl::StrCat("the resolver cannot start (check dns_servers): ", ares_strerror(status));
  }
}

// Ends every query as ARES_EDESTRUCTION and closes every socket, through the callbacks below; the lookups
// stay.
void Resolver::Close() {
  timer_.cancel();
  if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
}

Resolver::Stamp Resolver::StampOf(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return {};
  return {int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino};
}

// Never inside a callback of c-ares. What is under way is asked anew, of the new servers.
bool Resolver::ReopenIfChanged() {
  if (!servers_.empty() || StampOf(resolv_conf_) == stamp_) return false;
  Close();
  Open();
  std::vector<Lookup*> again;
  for (const auto& [name, lookup] : lookups_) again.push_back(lookup.get());
  for (Lookup* lookup : again) Start(*lookup);
  return true;
}

Addresses Resolver::Known(const std::string& name) const {
  auto it = cache_.find(absl::AsciiStrToLower(name));
  return it == cache_.end() || it->second.expires <= clock_.Steady() ? nullptr : it->second.addresses;
}

void Resolver::Resolve(const std::string& name, Callback done) {
  auto [it, first] = lookups_.try_emplace(absl::AsciiStrToLower(name));
  if (!first) return it->second->waiting.push_back(std::move(done));
  it->second = std::make_unique<Lookup>(Lookup{this, it->first, {}});
  it->second->waiting.push_back(std::move(done));
  Lookup& lookup = *it->second;
  if (ReopenIfChanged()) return;  // with this one
  Start(lookup);
}

// May end the lookup.
void Resolver::Start(Lookup& lookup) {
  if (!broken_.empty()) return Finish(lookup, {ErrorKind::kLocal, broken_, nullptr});
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const std::string name = lookup.name;
  starting_ = true;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Resolver::OnAddrInfo, &lookup);
  starting_ = false;
  ArmTimer();
}

void Resolver::NoteAnswer(const std::string& name) {
  if (starting_) return;
  if (answered_.empty() || answered_[0].name != name) {
    answered_.insert(answered_.begin(), Answered{name, {}});
    if (answered_.size() > 2) answered_.pop_back();
  }
  answered_[0].at = clock_.Steady();
}

ErrorKind Resolver::KindOfSilence(const std::string& name) const {
  const SteadyTime since = clock_.Steady() - kAnsweredLately;
  const std::string lower = absl::AsciiStrToLower(name);
  for (const Answered& answered : answered_) {
    if (answered.name != lower && answered.at >= since) return ErrorKind::kName;
  }
  return ErrorKind::kLocal;
}

Resolution Resolver::Failure(int status, const std::string& name) const {
  switch (status) {
    case ARES_ENOTFOUND:
      return {ErrorKind::kName, "name does not exist", nullptr};
    case ARES_ENODATA:
      return {ErrorKind::kName, "name has no address", nullptr};
    case ARES_EBADNAME:
      return {ErrorKind::kName, "name is not valid", nullptr};
    case ARES_ETIMEOUT:
      return {KindOfSilence(name), "the name servers did not answer", nullptr};
    case ARES_ECONNREFUSED:  // what c-ares 1.18 makes of SERVFAIL and REFUSED, too
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
      return {KindOfSilence(name), "the name servers failed, refused or cannot be reached", nullptr};
    default:
      return {ErrorKind::kLocal, absl::StrCat("the resolver failed: ", ares_strerror(status)), nullptr};
  }
}

void Resolver::Demote(const std::string& name, const std::string& address) {
  auto it = cache_.find(absl::AsciiStrToLower(name));
  if (it == cache_.end()) return;
  std::vector<std::string> order = *it->second.addresses;
  std::stable_partition(order.begin(), order.end(), [&](const std::string& a) { return a != address; });
  it->second.addresses = std::make_shared<const std::vector<std::string>>(std::move(order));
}

void Resolver::OnAddrInfo(void* lookup_ptr, int status, int /*timeouts*/, ares_addrinfo* result) {
  auto& lookup = *static_cast<Lookup*>(lookup_ptr);
  Resolver& self = *lookup.resolver;
  std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(result, &ares_freeaddrinfo);
  if (status == ARES_EDESTRUCTION) return;
  if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA)
    self.NoteAnswer(lookup.name);
  if (status != ARES_SUCCESS) return self.Finish(lookup, self.Failure(status, lookup.name));

  std::vector<std::string> addresses;
  std::chrono::seconds ttl = kMaxNameTtl;
  for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
    std::string text = TextOf(node->ai_addr);
    if (text.empty()) continue;
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.push_back(text);
    ttl = std::min(ttl, std::chrono::seconds(node->ai_ttl));
  }
  if (addresses.empty()) return self.Finish(lookup, self.Failure(ARES_ENODATA, lookup.name));
  auto shared = std::make_shared<const std::vector<std::string>>(std::move(addresses));
  self.Remember(lookup.name, shared, std::max(ttl, kMinNameTtl));
  self.Finish(lookup, {ErrorKind::kNone, "", shared});
}

void Resolver::Finish(Lookup& lookup, const Resolution& resolution) {
  auto node = lookups_.extract(lookup.name);
  HOOKD_CHECK(!node.empty(), "a lookup ends once");
  boost::asio::post(io_,
                    [alive = std::weak_ptr(alive_), waiting = std::move(node.mapped()->waiting), resolution] {
                      for (const Callback& done : waiting) {
                        if (alive.expired()) return;
                        done(resolution);
                      }
                    });
}

void Resolver::Remember(const std::string& name, Addresses addresses, std::chrono::seconds ttl) {
  SteadyTime now = clock_.Steady();
  if (cache_.size() >= kMaxCachedNames && !cache_.contains(name)) {
    absl::erase_if(cache_, [&](const auto& entry) { return entry.second.expires <= now; });
    if (cache_.size() >= kMaxCachedNames) cache_.erase(cache_.begin());
  }
  cache_[name] = {std::move(addresses), now + ttl};
}

void Resolver::OnSocketState(void* resolver, ares_socket_t socket, int readable, int writable) {
  auto& self = *static_cast<Resolver*>(resolver);
  if (readable == 0 && writable == 0) {
    self.watches_.erase(socket);
    return;
  }
  std::shared_ptr<Watch>& watch = self.watches_[socket];
  if (!watch) {
    watch = std::make_shared<Watch>(self.io_);
    boost::system::error_code error;
    watch->descriptor.assign(socket, error);
    if (error) {  // out of descriptors' memory: the query runs into its timeout
      self.watches_.erase(socket);
      return;
    }
  }
  watch->want_read = readable != 0;
  watch->want_write = writable != 0;
  self.Arm(socket, watch);
}

void Resolver::Arm(ares_socket_t socket, const std::shared_ptr<Watch>& watch) {
  using boost::asio::posix::descriptor_base;
  std::weak_ptr<Watch> weak = watch;  // gone with the socket, and with the resolver
  if (watch->want_read && !watch->reading) {
    watch->reading = true;
    watch->descriptor.async_wait(descriptor_base::wait_read,
                                 [this, socket, weak](boost::system::error_code error) {
                                   if (weak.expired()) return;
                                   weak.lock()->reading = false;
                                   if (!error) Ready(socket, /*write=*/false);
                                 });
  }
  if (watch->want_write && !watch->writing) {
    watch->writing = true;
    watch->descriptor.async_wait(descriptor_base::wait_write,
                                 [this, socket, weak](boost::system::error_code error) {
                                   if (weak.expired()) return;
                                   weak.lock()->writing = false;
                                   if (!error) Ready(socket, /*write=*/true);
                                 });
  }
}

void Resolver::Ready(ares_socket_t socket, bool write) {
  ares_process_fd(channel_, write ? ARES_SOCKET_BAD : socket, write ? socket : ARES_SOCKET_BAD);
  if (auto it = watches_.find(socket); it != watches_.end()) Arm(socket, it->second);
  ArmTimer();
}

void Resolver::ArmTimer() {
  timeval buffer{};
  const timeval* wait = ares_timeout(channel_, nullptr, &buffer);
  if (wait == nullptr) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec));
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (error || alive.expired() || channel_ == nullptr) return;
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    ArmTimer();
  });
}

}  // namespace hookd
