// A data folder of each format that there was, kept as its hookd left it: today's opens it, brings it
// forward, and reads every kind of row. `scripts/keep-data-folder` writes that of the current format anew.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "storage/format.h"
#include "storage/rocksdb_store.h"
#include "tests/conformance/describe.h"
#include "tests/conformance/list_world.h"

namespace hookd {
namespace {

namespace fs = std::filesystem;

constexpr char kFolders[] = "tests/golden/";  // from the repository's root
constexpr char kWrite[] = "HOOKD_KEEP_DATA_FOLDER";

SecretKeys Keys() {
  SecretKey key;
  key.bytes.fill(7);
  SecretKeys keys;
  keys.newest = key;
  return keys;
}

std::string Text(const DeliveryId& id) {
  return absl::StrCat(id.bucket, "/", id.endpoint.ToString(), "/", id.sequence);
}

class OldFolderTest : public testing::Test {
 protected:
  OldFolderTest() {
    std::string pattern = testing::TempDir() + "/old_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~OldFolderTest() override {
    store_.reset();
    fs::remove_all(path_);
  }

  static std::string File(uint32_t format, const char* suffix) {
    return absl::StrCat(kFolders, "folder-", format, suffix);
  }
  static void Run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void Open(bool seal_payloads = false) {
    store_.reset();
    RocksDbOptions options;
    options.path = path_ + "/data";
    options.secrets = Keys();
    options.seal_payloads = seal_payloads;
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    absl::StatusOr<DeliveryStore::Recovered> recovered = store_->Recover();
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    recovered_ = *std::move(recovered);
  }

  // Every fact there is, so that every kind of row is there.
  void Fill();
  void FillConfiguration();

  // What the readers say, of fields that have been there since format 1.
  std::vector<std::string> Tell();
  void TellStart(std::vector<std::string>& lines);
  void TellConfiguration(std::vector<std::string>& lines);
  void TellDeliveries(std::vector<std::string>& lines);

  std::string path_;
  std::unique_ptr<DeliveryStore> store_;
  DeliveryStore::Recovered recovered_;
};

void OldFolderTest::FillConfiguration() {
  for (const char* id : {"acme", "beta", "gone"}) store_->Apply(SubscriberChanged{MakeSubscriber(id)});
  store_->Apply(SubscriberDeleted{"gone"});
  Operations operations;
  operations.paused = true;
  operations.pause_note = "for the night";
  operations.paused_ms = kT0 + 3;
  store_->Apply(OperationsChanged{operations});
  store_->Apply(MailCursorChanged{"after 17\n"});
  for (uint64_t id : {1, 2, 3}) store_->Apply(JobChanged{MakeJob(id)});
  store_->Apply(JobDeleted{2});
  store_->Apply(TokenMade{MakeToken(11, {})});
  store_->Apply(TokenMade{MakeToken(12, {"acme", "beta"})});
  store_->Apply(TokenMade{MakeToken(13, {"acme"})});
  store_->Apply(TokenRevoked{MakeToken(13, {"acme"})});
  for (uint64_t number : {1, 2, 3}) store_->Apply(Audited{MakeAuditRecord(number)});
  store_->Apply(AuditTrimmed{2});
}

void OldFolderTest::Fill() {
  FillConfiguration();
  ListWorld world(*store_);
  const EndpointId first = world.AddEndpoint("acme", 1);
  const EndpointId second = world.AddEndpoint("acme", 2);
  const EndpointId removed = world.AddEndpoint("beta", 3);
  const EndpointId deleted = world.AddEndpoint("beta", 4);
  world.Commit();
  // Succeeded at once, after a failure, and with all else that ends.
  for (int i = 0; i < 8; ++i)
    world.Publish("acme", kT0 + i, {first, second}, kEventType, absl::StrCat("{\"n\":", i, "}"));
  world.Commit();
  const std::vector<DeliveryId> ids = world.ids();  // of first and second by turns
  world.Attempt(ids[0], 204);
  world.Attempt(ids[1], 503);
  world.Attempt(ids[1], 200);
  world.Attempt(ids[2], 0);
  world.End(ids[2], DeliveryState::kExhausted);
  world.End(ids[3], DeliveryState::kExpired);
  world.End(ids[4], DeliveryState::kCanceled);
  world.Attempt(ids[5], 500);  // stays parked
  world.Commit();
  world.Redeliver(ids[2], kT0 + 2 * kBucketMs);
  world.Commit();
  // A payload that goes to a blob file.
  world.Publish("acme", kT0 + kBucketMs, {first}, kEventType, "\"" + std::string(5'000, 'b') + "\"");
  Accepted keyed;
  keyed.event = MakeEvent("acme", kT0 + kBucketMs + 1, 900, "{\"keyed\":true}");
  keyed.idempotency.emplace();
  keyed.idempotency->key.fill(3);
  keyed.idempotency->fingerprint.fill(4);
  store_->Apply(keyed);
  world.Commit();
  // Put together, of the second's queue: 7 and 8 of it (ids 13 and 15).
  DeliveryParked parked;
  parked.delivery = ids[7];
  parked.event = world.events()[3]->id;
  parked.ordering_key_hash = 5;
  parked.due_ms = kT0 + 60'000;
  parked.cursor = ids[9].sequence;
  store_->Apply(parked);
  BatchFormed batch;
  batch.batch = EventId::Make(kT0 + kBucketMs + 2, 1, PartitionOf("acme"), 77);
  for (const size_t n : {9, 11})
    batch.members.push_back({ids[n], world.events()[n / 2]->id, nullptr, 0, false});
  batch.cursor = ids[13].sequence;
  store_->Apply(batch);
  world.Commit();
  // One deleted endpoint with something left, and one that is swept.
  world.Publish("beta", kT0 + 9, {removed, deleted});
  world.Commit();
  world.Delete(removed);
  store_->Apply(EndpointDeleted{deleted, "beta"});
  world.Commit();
  // An hour that is dropped, and a purge.
  const auto old = world.Publish("acme", kT0 + 3 * kBucketMs, {});
  world.Commit();
  store_->Apply(BucketDropped{old->id.bucket(), true});
  const auto purged = world.Publish("acme", kT0 + kBucketMs + 5, {});
  world.Commit();
  store_->Apply(EventErased{purged->id, purged->payload.size()});
  absl::StatusOr<Delivery> erased = store_->ReadDelivery(ids[1]);
  ASSERT_TRUE(erased.ok());
  for (Attempt& attempt : erased->attempts) {
    attempt.response_body.clear();
    attempt.request_headers.clear();
    attempt.response_headers.clear();
  }
  store_->Apply(ResponsesErased{*std::move(erased)});
  ASSERT_TRUE(store_->Commit(kT0 + 4 * kBucketMs).ok());
  // From here on payloads are sealed.
  Open(/*seal_payloads=*/true);
  ListWorld later(*store_);
  later.Publish("acme", kT0 + 4 * kBucketMs, {}, kEventType, "\"a payload that is sealed\"");
  later.Commit();
}

void OldFolderTest::TellStart(std::vector<std::string>& lines) {
  lines.push_back(absl::StrCat("epoch ", recovered_.epoch, " commit ", store_->LastCommit(),
                               " next endpoint ", recovered_.next_endpoint_number, " next job ",
                               recovered_.next_job, " high water ", recovered_.wall_high_water_ms, " mail ",
                               absl::CEscape(recovered_.mail_cursor)));
  lines.push_back(absl::StrCat("subscribers ", recovered_.subscribers, " endpoints ", recovered_.endpoints,
                               " paused ", recovered_.operations.paused, " ",
                               recovered_.operations.pause_note, " ", recovered_.operations.paused_ms));
  for (const Job& job : recovered_.jobs) {
    lines.push_back(absl::StrCat("job ", job.id, " kind ", static_cast<int>(job.kind), " state ",
                                 static_cast<int>(job.state), " of ", job.subscriber_id, " ", job.host,
                                 " done ", job.done, " position ", absl::CHexEscape(job.position), " error ",
                                 job.error));
  }
  for (const DeliveryStore::ActiveLane& active : recovered_.lanes) {
    const LaneState& lane = active.lane;
    lines.push_back(absl::StrCat("lane ", active.id.ToString(), " cursor ", lane.cursor, " next ", lane.next,
                                 " queued ", lane.queued, " parked ", lane.parked, " failures ",
                                 lane.consecutive_failures, " since ", lane.failing_since_ms, " success ",
                                 lane.last_success_ms, " deleted ", lane.deleted, " hold ",
                                 static_cast<int>(active.hold)));
  }
  for (const auto& [end, id] : recovered_.keys_ending) {
    lines.push_back(absl::StrCat("keys of ", id.ToString(), " end ", end));
  }
  lines.push_back(absl::StrCat("audit from ", recovered_.audit_first, " to ", recovered_.audit.number, " at ",
                               recovered_.audit.at_ms, " bytes ", recovered_.audit.log_bytes));
  for (const BucketView& bucket : store_->Buckets()) {
    lines.push_back(absl::StrCat("bucket ", bucket.bucket, " pending ", bucket.pending, " pins ", bucket.pins,
                                 " ended ", bucket.last_ended_ms, " bytes ", bucket.payload_bytes, " gone ",
                                 bucket.payloads_gone));
  }
}

void OldFolderTest::TellConfiguration(std::vector<std::string>& lines) {
  const auto subscribers = store_->ListSubscribers("", 100);
  ASSERT_TRUE(subscribers.ok()) << subscribers.status();
  for (const auto& [subscriber, endpoints] : *subscribers) {
    lines.push_back(absl::StrCat("subscriber ", subscriber.id, " ", subscriber.name, " paused ",
                                 subscriber.paused, " profile ", subscriber.profile, " plan ",
                                 subscriber.plan, " strict ", subscriber.strict, " held ",
                                 absl::StrJoin(subscriber.held_channels, ","), " mails ",
                                 absl::StrJoin(subscriber.alert_addresses, ","), " endpoints ", endpoints));
  }
  const auto endpoints = store_->ListEndpoints("", EndpointId{}, 100);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  for (const StoredEndpoint& stored : *endpoints) {
    const Endpoint& endpoint = *stored.endpoint;
    std::vector<std::string> headers;
    for (const Header& header : endpoint.headers)
      headers.push_back(absl::StrCat(header.name, "=", header.value));
    std::vector<std::string> keys;
    for (const SigningKey& key : endpoint.signing_keys) {
      keys.push_back(absl::StrCat(static_cast<int>(key.scheme), "/", key.expires_ms, "/",
                                  absl::BytesToHexString(key.key)));
    }
    const OAuth2Credentials& oauth2 = *endpoint.authorization.oauth2;
    lines.push_back(absl::StrCat(
        "endpoint ", endpoint.id.ToString(), " of ", endpoint.subscriber_id, " url ", endpoint.url, " types ",
        absl::StrJoin(endpoint.event_types, ","), " headers ", absl::StrJoin(headers, ","), " keys ",
        absl::StrJoin(keys, ","), " mode ", static_cast<int>(endpoint.policy.mode), " timeout ",
        endpoint.policy.timeout.count(), " paused ", endpoint.paused, " disabled ",
        static_cast<int>(endpoint.disabled), " note ", endpoint.state_note, " profile ", endpoint.profile));
    lines.push_back(absl::StrCat("  token from ", oauth2.token_url, " as ", oauth2.client_id, "/",
                                 oauth2.client_secret, " for ", absl::StrJoin(oauth2.scopes, ","), " at ",
                                 oauth2.audience, " key ", endpoint.tls->client_key_pem));
  }
  const auto tokens = store_->ListTokens("", 0, 100);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  for (const AccessToken& token : *tokens) {
    lines.push_back(absl::StrCat("token ", token.id, " role ", static_cast<int>(token.role), " of ",
                                 absl::StrJoin(token.subscriber_ids, ","), " ", token.description, " until ",
                                 token.expires_ms, " hash ",
                                 absl::BytesToHexString(std::string(token.hash.begin(), token.hash.end()))));
  }
  AuditQuery audit;
  audit.oldest_first = true;
  const auto records = store_->ListAudit(audit);
  ASSERT_TRUE(records.ok()) << records.status();
  for (const AuditRecord& record : records->records) {
    lines.push_back(absl::StrCat("audit ", absl::CHexEscape(AuditText(record)), " hash ", record.hash[0]));
  }
  std::array<uint8_t, 16> key{};
  key.fill(3);
  const auto hit = store_->FindIdempotency(key, kT0 + 2 * kBucketMs);
  ASSERT_TRUE(hit.ok() && *hit) << hit.status();
  lines.push_back(
      absl::StrCat("key of ", (*hit)->event.ToString(), " fingerprint ", (*hit)->fingerprint[15]));
}

void OldFolderTest::TellDeliveries(std::vector<std::string>& lines) {
  for (const char* subscriber : {"acme", "beta"}) {
    EventQuery query;
    query.subscriber_id = subscriber;
    query.delivered_only = false;
    const auto page = store_->ListEvents(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& event : page->events) {
      const auto ids = store_->DeliveriesOf(*event, 100);
      ASSERT_TRUE(ids.ok()) << ids.status();
      std::vector<std::string> made;
      for (const DeliveryId& id : *ids) made.push_back(Text(id));
      lines.push_back(absl::StrCat("event ", event->id.ToString(), " type ", event->type, " channel ",
                                   event->channel, " ordering ", event->ordering_key, " payload ",
                                   std::string(event->payload, 0, 40), "... of ", event->payload.size(),
                                   " made ", absl::StrJoin(made, ",")));
    }
    DeliveryQuery list;
    list.subscriber_id = subscriber;
    const auto deliveries = store_->ListDeliveries(list);
    ASSERT_TRUE(deliveries.ok()) << deliveries.status();
    for (const Delivery& listed : deliveries->deliveries) {
      const auto read = store_->ReadDelivery(listed.id);
      ASSERT_TRUE(read.ok()) << read.status();
      lines.push_back(absl::StrCat("delivery ", Text(read->id), " of ", read->event.ToString(), " state ",
                                   static_cast<int>(read->state), " reason ", static_cast<int>(read->reason),
                                   " accepted ", read->accepted_ms, " ended ", read->ended_ms, " due ",
                                   read->next_due_ms, " origin ", static_cast<int>(read->origin),
                                   " replaces ", read->replaces ? Text(*read->replaces) : "-",
                                   " replaced by ", read->replaced_by ? Text(*read->replaced_by) : "-",
                                   " batch ", read->batch ? read->batch->ToString() : "-"));
      for (const Attempt& attempt : read->attempts) {
        lines.push_back(absl::StrCat("  attempt ", attempt.number, " status ", attempt.status, " error ",
                                     static_cast<int>(attempt.error), " ", attempt.error_detail, " body ",
                                     absl::CHexEscape(attempt.response_body), " took ", attempt.us.total));
      }
    }
  }
  for (const DeliveryState state :
       {DeliveryState::kExhausted, DeliveryState::kExpired, DeliveryState::kCanceled}) {
    const auto page = store_->ListDeliveries(ListIn(state));
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Delivery& delivery : page->deliveries) {
      lines.push_back(absl::StrCat("in state ", static_cast<int>(state), ": ", Text(delivery.id)));
    }
  }
  for (const DeliveryStore::ActiveLane& active : recovered_.lanes) {
    const auto queue = store_->ReadQueue(active.id, 1, 100, 1u << 20);
    const auto parked = store_->ReadParked(active.id, 100);
    ASSERT_TRUE(queue.ok() && parked.ok()) << queue.status() << parked.status();
    for (const QueuedDelivery& row : *queue) {
      lines.push_back(absl::StrCat("queued ", active.id.ToString(), "/", row.sequence, " of ",
                                   row.event->id.ToString(), row.remade ? " remade" : ""));
    }
    for (const ParkedDelivery& row : *parked) {
      lines.push_back(absl::StrCat("parked ", active.id.ToString(), "/", row.sequence, " attempts ",
                                   row.attempts, " due ", row.due_ms, " key ", row.ordering_key_hash,
                                   " batch ", row.batch ? row.batch->ToString() : "-"));
    }
  }
  const auto changes = store_->ReadChanges(0, 1'000);
  ASSERT_TRUE(changes.ok()) << changes.status();
  lines.push_back(absl::StrCat("changes ", changes->changes.size(), " up to commit ", changes->commit));
}

std::vector<std::string> OldFolderTest::Tell() {
  std::vector<std::string> lines;
  TellStart(lines);
  TellConfiguration(lines);
  TellDeliveries(lines);
  return lines;
}

TEST_F(OldFolderTest, KeepsOneOfTheCurrentFormat) {
  if (std::getenv(kWrite) == nullptr) GTEST_SKIP() << "run scripts/keep-data-folder to write it anew";
  Open();
  Fill();
  if (HasFatalFailure()) return;
  Open();  // into tables and blob files, and what is told is what is recovered
  std::ofstream(File(kStorageFormat, ".txt")) << absl::StrJoin(Tell(), "\n") << "\n";
  store_.reset();
  Run(absl::StrCat("tar --directory=", path_,
                   " --create --gzip --sort=name --owner=0 --group=0 --numeric-owner --file=",
                   File(kStorageFormat, ".tar.gz"), " --exclude='LOG*' --exclude=LOCK data"));
  EXPECT_LT(fs::file_size(File(kStorageFormat, ".tar.gz")), 200'000u);
}

TEST_F(OldFolderTest, EveryOneIsReadWhole) {
  for (uint32_t format = 1; format <= kStorageFormat; ++format) {
    SCOPED_TRACE(format);
    std::ifstream told(File(format, ".txt"));
    ASSERT_TRUE(told.good()) << "run from the repository's root; scripts/keep-data-folder writes it";
    std::vector<std::string> expected;
    for (std::string line; std::getline(told, line);) expected.push_back(line);
    ASSERT_GT(expected.size(), 50u);
    store_.reset();
    fs::remove_all(path_ + "/data");
    Run(absl::StrCat("tar --directory=", path_, " --extract --gzip --file=", File(format, ".tar.gz")));
    // The second time on what the first has brought forward.
    for (int opened = 0; opened < 2; ++opened) {
      Open();
      if (HasFatalFailure()) return;
      ExpectSameLines(expected, Tell(), absl::StrCat("format ", format, ", opening ", opened));
    }
    // It goes on from there.
    const EndpointId endpoint = MakeEndpointId("acme", 1);
    Accepted fact;
    fact.event = MakeEvent("acme", recovered_.wall_high_water_ms + 1, 1);
    fact.deliveries.push_back({endpoint, store_->Lane(endpoint)->next});
    store_->Apply(fact);
    ASSERT_TRUE(store_->Commit(fact.event->accepted_ms).ok());
    EXPECT_TRUE(store_->ReadEvent(fact.event->id).ok());
  }
}

}  // namespace
}  // namespace hookd
