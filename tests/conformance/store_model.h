// What a store should hold after the facts it was given, kept as naively as possible: the oracle of the
// random walk.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/delivery_store.h"

namespace hookd {

struct ModelDelivery {
  Delivery delivery;  // with its attempts
  std::shared_ptr<const Event> event;
  RemadePtr remade;
  bool parked = false;
  bool forgotten = false;  // its bucket's history was dropped
  uint32_t failures = 0;
  uint64_t ordering_key_hash = 0;
};

// What does not follow from the deliveries. LaneOf counts the rest.
struct ModelLane {
  Sequence cursor = 1;
  uint32_t consecutive_failures = 0;
  WallMs failing_since_ms = 0;
  WallMs last_success_ms = 0;
  WallMs rate_tat_ms = 0;
  uint32_t disable_failures = 0;
  WallMs disable_since_ms = 0;
  WallMs hold_until_ms = 0;
  bool deleted = false;
  bool endpoint_paused = false;
  bool endpoint_disabled = false;
  WallMs endpoint_keys_end_ms = 0;
};

// A commit in the log of changes; the first is number 1.
struct ModelCommit {
  WallMs at_ms = 0;
  std::vector<StateChange> changes;
};

struct StoreModel {
  std::map<std::string, Subscriber> subscribers;
  std::map<EndpointId, std::shared_ptr<const Endpoint>> endpoints;
  std::map<EndpointId, ModelLane> lanes;
  std::map<EndpointId, std::map<Sequence, ModelDelivery>> deliveries;  // of removed lanes too
  std::vector<Accepted> accepted;
  std::set<Bucket> payloads_dropped;
  std::set<Bucket> history_dropped;
  Operations operations;
  std::string mail_cursor;
  std::map<uint64_t, Job> jobs;
  uint64_t next_job = 1;
  std::map<uint64_t, AccessToken> tokens;
  std::vector<StateChange> open_changes;
  std::vector<ModelCommit> log;
  uint64_t commits = 0;
  std::set<std::string> subscriber_ids;  // ever seen
  std::vector<EndpointId> endpoint_ids;  // ever made
  uint64_t endpoints_made = 0;           // endpoint numbers are given out from 1, without gaps
  WallMs high_water_ms = 0;

  void Apply(const Fact& fact);
  void Commit(WallMs now);

  ModelDelivery& Get(DeliveryId id) { return deliveries.at(id.endpoint).at(id.sequence); }
  uint64_t OldestKeptCommit() const;
  LaneState LaneOf(EndpointId endpoint) const;
  std::vector<BucketView> Buckets() const;
  std::vector<std::string> DescribeRecovered() const;
  // Everything that the readers of a store should say, line by line as DescribeStore does.
  std::vector<std::string> Describe(WallMs now) const;
  void DescribeConfiguration(std::vector<std::string>& lines) const;
  void DescribeChanges(std::vector<std::string>& lines) const;
};

// Everything that the store's readers say about what `model` has ever seen, asked for in pages of random
// size.
std::vector<std::string> DescribeStore(const DeliveryStore& store, const StoreModel& model, WallMs now,
                                       std::mt19937_64& random);

}  // namespace hookd
