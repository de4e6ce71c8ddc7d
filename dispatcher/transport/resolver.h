// Names to addresses by c-ares, on the shard's io_context: nothing here blocks but the reading of /etc/hosts.
#pragma once

#include <ares.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxCachedNames = 10'000;  // full: expired entries go, then any
inline constexpr std::chrono::seconds kMinNameTtl{1};
inline constexpr std::chrono::seconds kMaxNameTtl{60};
// A name that fails while name servers answered another this lately is its owner's trouble, not ours.
inline constexpr std::chrono::seconds kAnsweredLately{30};
inline constexpr const char* kResolvConf = "/etc/resolv.conf";

// Addresses of one name, the one to try first in front; at least one.
using Addresses = std::shared_ptr<const std::vector<std::string>>;

struct Resolution {
  // kName: no such name, no address, or its own servers fail; kLocal: the resolver failed
  ErrorKind error = ErrorKind::kNone;
  std::string detail;
  Addresses addresses;  // not null if error is kNone
};

// Thread: the io_context's. Failures are not cached; lookups of one name at one time share one query.
class Resolver {
 public:
  using Callback = std::function<void(const Resolution&)>;

  // `servers`: "ip:port", empty = those of `resolv_conf`, which is read anew when it has changed. If they
  // cannot be used, every lookup fails as kLocal. Search lists do not count: a name is looked up as it is.
  // `port`: of the servers that come without one; for tests.
  Resolver(boost::asio::io_context& io, const Clock& clock, std::vector<std::string> servers,
           std::string resolv_conf = kResolvConf, uint16_t port = 53);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // From the cache; null = not known.
  Addresses Known(const std::string& name) const;

  // Both A and AAAA, /etc/hosts first, in the order of RFC 6724. `done` runs once, never inside Resolve, and
  // not at all when the resolver is destroyed before. Takes about 6 s per dead name server.
  void Resolve(const std::string& name, Callback done);

  // What it is when `name` fails without an answer: kName if name servers answered another name within
  // kAnsweredLately, else kLocal.
  ErrorKind KindOfSilence(const std::string& name) const;

  // The address did not answer: while the name is cached it is tried last.
  void Demote(const std::string& name, const std::string& address);

 private:
  struct Entry {
    Addresses addresses;
    SteadyTime expires;
  };
  struct Lookup {
    Resolver* resolver;
    std::string name;
    std::vector<Callback> waiting;
  };
  struct Watch;  // one socket of c-ares
  struct Answered {
    std::string name;
    SteadyTime at;
  };
  // When a file was changed last, and which one it is.
  struct Stamp {
    int64_t modified_ns = 0;
    uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };

  static Stamp StampOf(const std::string& file);
  void Open();
  void Close();
  bool ReopenIfChanged();
  void Start(Lookup& lookup);
  void NoteAnswer(const std::string& name);
  Resolution Failure(int status, const std::string& name) const;
  static void OnAddrInfo(void* lookup, int status, int timeouts, ares_addrinfo* result);
  static void OnSocketState(void* resolver, ares_socket_t socket, int readable, int writable);
  void Finish(Lookup& lookup, const Resolution& resolution);
  void Remember(const std::string& name, Addresses addresses, std::chrono::seconds ttl);
  void Arm(ares_socket_t socket, const std::shared_ptr<Watch>& watch);
  void Ready(ares_socket_t socket, bool write);
  void ArmTimer();

  boost::asio::io_context& io_;
  const Clock& clock_;
  const std::vector<std::string> servers_;
  const std::string resolv_conf_;
  const uint16_t port_;
  boost::asio::steady_timer timer_;
  ares_channel channel_ = nullptr;
  std::string broken_;              // why there is no channel
  Stamp stamp_;                     // of resolv_conf_, when the channel was made
  bool starting_ = false;           // what is answered meanwhile came from /etc/hosts
  std::vector<Answered> answered_;  // the last two names that name servers answered, the later one in front
  std::map<ares_socket_t, std::shared_ptr<Watch>> watches_;
  absl::flat_hash_map<std::string, std::unique_ptr<Lookup>> lookups_;  // under way, by lower-case name
  absl::flat_hash_map<std::string, Entry> cache_;                      // by lower-case name
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);              // handlers may outlive this object
};

}  // namespace hookd
