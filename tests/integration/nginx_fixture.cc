#include "tests/integration/nginx_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <netinet/in.h>

#include "base/check.h"

namespace hookd::testing {
namespace {

constexpr const char* kNginx = "/usr/sbin/nginx";
constexpr int kStartTries = 5;  // another process may take the free port first
constexpr std::chrono::seconds kStartTime{10};

constexpr const char* kConfig = R"(daemon off;
master_process off;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log warn;
worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path @DIR@/body;
  client_max_body_size 8m;
  ssl_protocols TLSv1.2 TLSv1.3;
  proxy_temp_path @DIR@/proxy;
  fastcgi_temp_path @DIR@/fastcgi;
  uwsgi_temp_path @DIR@/uwsgi;
  scgi_temp_path @DIR@/scgi;
  keepalive_requests 1000000;
@HTTP@
}
)";

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

uint16_t FreePort() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  HOOKD_CHECK(fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0,
              "no free loopback port");
  close(fd);
  return ntohs(address.sin_port);
}

bool Accepts(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(port);
  bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return ok;
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hookd-test-XXXXXX").string();
  HOOKD_CHECK(mkdtemp(pattern.data()) != nullptr, "no temporary directory");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<NginxFixture>> NginxFixture::Start(const std::string& http_block) {
  if (access(kNginx, X_OK) != 0) return absl::NotFoundError("nginx is not installed: run scripts/setup");
  absl::Status status;
  for (int i = 0; i < kStartTries; ++i) {
    std::unique_ptr<NginxFixture> nginx(new NginxFixture());
    status = nginx->Launch(http_block);
    if (status.ok()) return nginx;
  }
  return status;
}

absl::Status NginxFixture::Launch(const std::string& http_block) {
  port_ = FreePort();
  std::string dir = dir_.path().string();
  std::string text = absl::StrReplaceAll(kConfig, {{"@HTTP@", http_block}});
  text = absl::StrReplaceAll(text, {{"@DIR@", dir}, {"@PORT@", std::to_string(port_)}});
  std::string config = dir + "/nginx.conf";
  std::string log = dir + "/error.log";
  std::ofstream(config) << text;

  pid_t parent = getpid();
  pid_ = fork();
  HOOKD_CHECK(pid_ >= 0, "fork failed");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(kNginx, "nginx", "-p", dir.c_str(), "-c", config.c_str(), "-e", log.c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  auto give_up = std::chrono::steady_clock::now() + kStartTime;
  while (std::chrono::steady_clock::now() < give_up) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return absl::FailedPreconditionError(absl::StrCat("nginx ended: ", ReadFile("error.log")));
    }
    if (Accepts(port_)) return absl::OkStatus();
    std::this_thread::yield();
  }
  return absl::DeadlineExceededError(absl::StrCat("nginx does not accept: ", ReadFile("error.log")));
}

NginxFixture::~NginxFixture() {
  if (pid_ <= 0) return;
  // As one process, nginx can miss a SIGTERM that comes just before it waits for events.
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string NginxFixture::Url(const std::string& path, const std::string& scheme) const {
  return absl::StrCat(scheme, "://127.0.0.1:", port_, path);
}

std::string NginxFixture::ReadFile(const std::string& name) const {
  std::ostringstream out;
  out << std::ifstream(dir_.path() / name).rdbuf();
  return out.str();
}

TestCa::TestCa() {
  ok_ = Run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem "
      "-subj '/CN=hookd test CA' -days 2 -addext basicConstraints=critical,CA:TRUE");
}

bool TestCa::Request(const std::string& name, const std::string& alt_names) const {
  std::ofstream(dir_.path() / (name + ".ext")) << "subjectAltName=" << alt_names << "\n";
  return Run(absl::StrCat("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ",
                          name, ".key -out ", name, ".csr -subj /CN=receiver"));
}

bool TestCa::Issue(const std::string& name, const std::string& alt_names, int days) const {
  return Request(name, alt_names) && Run(absl::StrCat("openssl x509 -req -in ", name,
                                                      ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ",
                                                      name, ".pem -days ", days, " -extfile ", name, ".ext"));
}

bool TestCa::IssueFor(const std::string& name, const std::string& alt_names, const std::string& from,
                      const std::string& until) const {
  // Only `openssl ca` takes a beginning, and it keeps a register.
  std::ofstream(dir_.path() / "ca.cnf") << "[ca]\ndefault_ca=one\n[one]\nnew_certs_dir=.\ndatabase=index\n"
                                           "rand_serial=yes\ndefault_md=sha256\npolicy=any\n"
                                           "[any]\ncommonName=supplied\n";
  std::ofstream(dir_.path() / "index").flush();
  return Request(name, alt_names) &&
         Run(absl::StrCat("openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in ", name,
                          ".csr -out ", name, ".pem -notext -startdate ", from, " -enddate ", until,
                          " -extfile ", name, ".ext"));
}

bool TestCa::Run(const std::string& command) const {
  return std::system(
             absl::StrCat("cd ", dir_.path().string(), " && ", command, " >openssl.log 2>&1").c_str()) == 0;
}

}  // namespace hookd::testing
