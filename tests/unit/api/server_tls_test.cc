// TLS on both ports, with certificates that openssl makes here.
#include "dispatcher/api/server_tls.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <gmock/gmock.h>

#include "dispatcher/api/http_port.h"
#include "hookd/v1/operations_service.grpc.pb.h"
#include "tests/unit/api/auth_fixture.h"
#include "tests/unit/api/http_client.h"

namespace hookd::testing {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A folder with an authority, a server's certificate for 127.0.0.1, and a client's.
class Certificates {
 public:
  Certificates() {
    folder_ = (fs::temp_directory_path() / "hookd_tls_XXXXXX").string();
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    Run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout " +
        At("ca.key") + " -out " + At("ca.pem"));
    Make("server", "one");
    Make("client", "client");
  }
  ~Certificates() { fs::remove_all(folder_); }

  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  std::string Pem(const std::string& name) const { return Contents(At(name)); }
  ServerTlsOptions Server(bool mutual = false) const {
    return {At("server.pem"), At("server.key"), mutual ? At("ca.pem") : ""};
  }

  // Signed by the authority, in the place of what is there: the key first, so that for a moment they do not
  // fit.
  void Make(const std::string& name, const std::string& common_name) {
    const std::string extensions = At("extensions");
    std::ofstream(extensions) << "subjectAltName=IP:127.0.0.1\n";
    Run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + common_name + " -keyout " +
        At("new.key") + " -out " + At("new.csr"));
    Run("x509 -req -days 2 -in " + At("new.csr") + " -CA " + At("ca.pem") + " -CAkey " + At("ca.key") +
        " -CAcreateserial -extfile " + extensions + " -out " + At("new.pem"));
    fs::rename(At("new.key"), At(name + ".key"));
    fs::rename(At("new.pem"), At(name + ".pem"));
  }

 private:
  static void Run(const std::string& arguments) {
    ASSERT_EQ(std::system(("openssl " + arguments + " >/dev/null 2>&1").c_str()), 0) << arguments;
  }
  std::string folder_;
};

struct Seen {
  bool connected = false;
  std::string subject;  // of the server's certificate
  unsigned status = 0;
};

// One GET over TLS.
Seen Get(const Certificates& certificates, const std::string& address, bool with_certificate = false,
         int max_version = 0) {
  Seen seen;
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.load_verify_file(certificates.At("ca.pem"));
  context.set_verify_mode(asio::ssl::verify_peer);
  if (max_version != 0) {
    SSL_CTX_set_security_level(context.native_handle(), 0);
    SSL_CTX_set_max_proto_version(context.native_handle(), max_version);
  }
  if (with_certificate) {
    context.use_certificate_chain_file(certificates.At("client.pem"));
    context.use_private_key_file(certificates.At("client.key"), asio::ssl::context::pem);
  }
  asio::io_context io;
  asio::ssl::stream<asio::ip::tcp::socket> stream(io, context);
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
  boost::system::error_code error;
  stream.handshake(asio::ssl::stream_base::client, error);
  if (error) return seen;
  X509* certificate = SSL_get_peer_certificate(stream.native_handle());
  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
  X509_free(certificate);
  seen.subject = name;
  asio::write(stream, asio::buffer(std::string("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")), error);
  boost::beast::flat_buffer buffer;
  boost::beast::http::response<boost::beast::http::string_body> response;
  boost::beast::http::read(stream, buffer, response, error);
  seen.connected = !error;
  seen.status = response.result_int();
  return seen;
}

std::unique_ptr<HttpPort> Port(const ServerTlsOptions& tls,
                               std::function<void(const absl::Status&)> changed = nullptr,
                               Gateway* gateway = nullptr) {
  HttpPortOptions options;
  options.listen = "127.0.0.1:0";
  options.metrics = [] { return std::string(); };
  options.ready = [] { return absl::OkStatus(); };
  options.tls = tls;
  options.tls_changed = std::move(changed);
  options.gateway = gateway;
  options.certificate_check = std::chrono::milliseconds(20);
  return HttpPort::Start(std::move(options)).value();
}

TEST(ServerTlsTest, BadFilesAreRefusedByName) {
  const Certificates certificates;
  const auto fault = [](const ServerTlsOptions& options) {
    return std::string(MakeTlsContext(options, "grpc.tls").status().message());
  };
  EXPECT_EQ(fault(certificates.Server()), "");
  ServerTlsOptions options = certificates.Server();
  options.cert_file = "/nowhere.pem";
  EXPECT_THAT(fault(options), HasSubstr("grpc.tls.cert_file: /nowhere.pem: "));
  options = certificates.Server();
  options.key_file = certificates.At("client.key");
  EXPECT_THAT(fault(options), HasSubstr("grpc.tls.key_file: "));
  options = certificates.Server();
  options.client_ca_file = certificates.At("server.key");
  EXPECT_THAT(fault(options), HasSubstr("grpc.tls.client_ca_file: "));
}

TEST(ServerTlsTest, TheHttpPortAnswersOverTls12AndUp) {
  const Certificates certificates;
  const std::unique_ptr<HttpPort> port = Port(certificates.Server());
  EXPECT_EQ(Get(certificates, port->address()).status, 200u);
  EXPECT_EQ(Get(certificates, port->address(), false, TLS1_2_VERSION).status, 200u);
  EXPECT_FALSE(Get(certificates, port->address(), false, TLS1_1_VERSION).connected);
  HttpClient plain(port->address());
  plain.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_ANY_THROW(plain.Read());  // an alert, or the end
}

TEST(ServerTlsTest, TheHttpPortWantsAClientsCertificate) {
  const Certificates certificates;
  const std::unique_ptr<HttpPort> port = Port(certificates.Server(true));
  EXPECT_FALSE(Get(certificates, port->address()).connected);
  EXPECT_EQ(Get(certificates, port->address(), true).status, 200u);
}

TEST(ServerTlsTest, TheHttpPortTakesANewCertificateAndKeepsTheOldOneWhileItIsBroken) {
  Certificates certificates;
  absl::Mutex mutex;
  std::vector<absl::Status> told;
  const std::unique_ptr<HttpPort> port = Port(certificates.Server(), [&](const absl::Status& status) {
    absl::MutexLock lock(&mutex);
    told.push_back(status);
  });
  const auto wait_for = [&](bool ok) {
    absl::MutexLock lock(&mutex);
    const auto there = [&] {
      return std::any_of(told.begin(), told.end(), [ok](const absl::Status& one) { return one.ok() == ok; });
    };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(20)));
    told.clear();
  };
  EXPECT_EQ(Get(certificates, port->address()).subject, "one");
  std::ofstream(certificates.At("server.pem")) << "garbage\n";
  wait_for(false);
  EXPECT_EQ(Get(certificates, port->address()).subject, "one");
  certificates.Make("server", "two");
  wait_for(true);
  EXPECT_EQ(Get(certificates, port->address()).subject, "two");
}

// A server that was made with these.
class GrpcTlsTest : public AuthTest {
 protected:
  explicit GrpcTlsTest(bool mutual = false) : mutual_(mutual) {
    server_->Shutdown(Duration::zero());
    ApiServerOptions options;
    options.listen = "127.0.0.1:0";
    options.auth = Required();
    options.tls = certificates_.Server(mutual);
    options.certificate_check = std::chrono::seconds(1);
    options.gateway = &second_;
    absl::StatusOr<std::unique_ptr<ApiServer>> server =
        ApiServer::Start(options, *engine_, telemetry_, RealClock());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    token_ = Token(TokenRole::kViewer);
  }
  ~GrpcTlsTest() override {
    server_->Shutdown(std::chrono::seconds(10));
    server_.reset();  // before its gateway
  }

  grpc::Status Ask(bool with_certificate, const std::string& token) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = certificates_.Pem("ca.pem");
    if (with_certificate) {
      options.pem_cert_chain = certificates_.Pem("client.pem");
      options.pem_private_key = certificates_.Pem("client.key");
    }
    grpc::ChannelArguments fresh;
    fresh.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(server_->address(), grpc::SslCredentials(options), fresh);
    v1::ServerStatus status;
    return v1::OperationsService::NewStub(channel)->GetStatus(With(token).get(), {}, &status);
  }

  const bool mutual_;
  Certificates certificates_;
  Gateway second_;  // a gateway is opened once
  std::string token_;
};

TEST_F(GrpcTlsTest, TakesTlsAndTokens) {
  EXPECT_TRUE(Ask(false, token_).ok()) << Ask(false, token_).error_message();
  EXPECT_EQ(Ask(false, "").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const auto plain = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  v1::ServerStatus status;
  EXPECT_EQ(v1::OperationsService::NewStub(plain)->GetStatus(With(token_).get(), {}, &status).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcTlsTest, TakesANewCertificate) {
  ASSERT_TRUE(Ask(false, token_).ok());
  EXPECT_EQ(Get(certificates_, server_->address()).subject, "one");
  certificates_.Make("server", "two");
  // It looks once a second, by itself.
  std::string subject;
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(30);
  while (subject != "two" && RealClock().Steady() < deadline) {
    subject = Get(certificates_, server_->address()).subject;
  }
  EXPECT_EQ(subject, "two");
  EXPECT_TRUE(Ask(false, token_).ok());
}

class GrpcMutualTlsTest : public GrpcTlsTest {
 protected:
  GrpcMutualTlsTest() : GrpcTlsTest(true) {}
};

TEST_F(GrpcMutualTlsTest, WantsAClientsCertificate) {
  EXPECT_EQ(Ask(false, token_).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Ask(true, token_).ok()) << Ask(true, token_).error_message();
  EXPECT_EQ(Ask(true, "").error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace hookd::testing
