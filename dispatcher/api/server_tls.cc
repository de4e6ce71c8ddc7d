#include "dispatcher/api/server_tls.h"

#include <sys/stat.h>

#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/ssl.h>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr unsigned char kSessionContext[] = "hookd";

absl::Status Bad(const std::string& section, std::string_view key, const std::string& file,
                 const error_code& error) {
  return absl::InvalidArgumentError(Concat(section, ".", key, ": ", file, ": ", error.message()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsContext>> MakeTlsContext(const ServerTlsOptions& options,
                                                           const std::string& section) {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Sessions are resumed only where the client's certificate was asked for in the same way.
  SSL_CTX_set_session_id_context(native, kSessionContext, sizeof(kSessionContext) - 1);
  error_code error;
  context->use_certificate_chain_file(options.cert_file, error);
  if (error) return Bad(section, "cert_file", options.cert_file, error);
  context->use_private_key_file(options.key_file, ssl::context::pem, error);
  if (error) return Bad(section, "key_file", options.key_file, error);
  if (SSL_CTX_check_private_key(native) != 1) {
    return absl::InvalidArgumentError(
        Concat(section, ".key_file: ", options.key_file, " is not the key of ", options.cert_file));
  }
  if (options.client_ca_file.empty()) return context;
  context->load_verify_file(options.client_ca_file, error);
  if (error) return Bad(section, "client_ca_file", options.client_ca_file, error);
  SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(options.client_ca_file.c_str()));
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  return context;
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeGrpcCredentials(const ServerTlsOptions& options,
                                                                             const std::string& section,
                                                                             std::chrono::seconds check) {
  if (!options.on()) return grpc::InsecureServerCredentials();
  // gRPC would only log what is wrong with them, and refuse every handshake.
  RETURN_IF_ERROR(MakeTlsContext(options, section).status());
  namespace tls = grpc::experimental;
  const auto files = std::make_shared<tls::FileWatcherCertificateProvider>(
      options.key_file, options.cert_file, options.client_ca_file, static_cast<unsigned int>(check.count()));
  tls::TlsServerCredentialsOptions asked(files);
  asked.watch_identity_key_cert_pairs();
  asked.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (!options.client_ca_file.empty()) {
    asked.watch_root_certs();
    asked.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls::TlsServerCredentials(asked);
}

WatchedTls::WatchedTls(ServerTlsOptions options, std::string section)
    : options_(std::move(options)), section_(std::move(section)), seen_(Look()) {}

absl::StatusOr<std::unique_ptr<WatchedTls>> WatchedTls::Make(const ServerTlsOptions& options,
                                                             const std::string& section) {
  std::unique_ptr<WatchedTls> made(new WatchedTls(options, section));
  ASSIGN_OR_RETURN(made->context_, MakeTlsContext(options, section));
  return made;
}

WatchedTls::Stamp WatchedTls::Look() const {
  Stamp stamp{};
  size_t at = 0;
  for (const std::string* file : {&options_.cert_file, &options_.key_file, &options_.client_ca_file}) {
    struct stat found {};
    if (!file->empty() && stat(file->c_str(), &found) == 0) {
      stamp[at] = static_cast<int64_t>(found.st_ino);
      stamp[at + 1] = found.st_size;
      stamp[at + 2] = found.st_mtim.tv_sec;
      stamp[at + 3] = found.st_mtim.tv_nsec;
    }
    at += 4;
  }
  return stamp;
}

absl::StatusOr<bool> WatchedTls::Refresh() {
  const Stamp now = Look();
  if (now == seen_) return false;
  seen_ = now;
  ASSIGN_OR_RETURN(context_, MakeTlsContext(options_, section_));
  return true;
}

}  // namespace hookd
