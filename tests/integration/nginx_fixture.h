// A private nginx: the foreign receiver that we did not write. A child process on a free loopback port, with
// all of its files in a directory of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

namespace hookd::testing {

// A directory that goes with this object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class NginxFixture {
 public:
  // Starts nginx with `http_block` (servers, without the enclosing braces) and returns once it accepts. In
  // the text, @PORT@ stands for its port and @DIR@ for its directory. NOT_FOUND: nginx is not installed
  // (scripts/setup does that); FAILED_PRECONDITION: it ended at once, with its error log. The child dies with
  // the calling thread.
  static absl::StatusOr<std::unique_ptr<NginxFixture>> Start(const std::string& http_block);
  ~NginxFixture();
  NginxFixture(const NginxFixture&) = delete;
  NginxFixture& operator=(const NginxFixture&) = delete;

  uint16_t port() const { return port_; }
  // "http://127.0.0.1:PORT" + path; https likewise.
  std::string Url(const std::string& path = "/", const std::string& scheme = "http") const;
  std::string ReadFile(
      const std::string& name) const;  // of its directory, such as "access.log"; empty = none

 private:
  NginxFixture() = default;
  absl::Status Launch(const std::string& http_block);

  TempDir dir_;
  uint16_t port_ = 0;
  pid_t pid_ = 0;
};

// Certificates by the openssl command, as files in one directory.
class TestCa {
 public:
  TestCa();  // false from ok() when openssl is missing
  bool ok() const { return ok_; }
  std::string ca_file() const { return (dir_.path() / "ca.pem").string(); }

  // Makes NAME.pem and NAME.key for the given subjectAltName ("DNS:localhost,IP:127.0.0.1"); `days` < 0:
  // expired.
  bool Issue(const std::string& name, const std::string& alt_names, int days) const;
  // Valid between two times such as "20300101000000Z".
  bool IssueFor(const std::string& name, const std::string& alt_names, const std::string& from,
                const std::string& until) const;
  std::string certificate(const std::string& name) const { return (dir_.path() / (name + ".pem")).string(); }
  std::string key(const std::string& name) const { return (dir_.path() / (name + ".key")).string(); }

 private:
  bool Run(const std::string& command) const;
  bool Request(const std::string& name, const std::string& alt_names) const;

  TempDir dir_;
  bool ok_ = false;
};

}  // namespace hookd::testing
