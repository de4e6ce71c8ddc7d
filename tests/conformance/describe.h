// One line of text per value: stores are compared by what they say.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

std::string Describe(const Subscriber& subscriber);
std::string Describe(const Endpoint& endpoint);
std::string Describe(const Event& event);
std::string Describe(const Attempt& attempt);
std::string Describe(const Delivery& delivery);
std::string Describe(const RemadePtr& remade);
std::string Describe(const QueuedDelivery& row);
std::string Describe(const ParkedDelivery& row);
std::string Describe(const StateChange& change);
std::string Describe(const Job& job);
std::string Describe(const AccessToken& token);
std::string Describe(const LaneState& lane);
std::string Describe(const StoredSubscriber& subscriber);
std::string Describe(const StoredEndpoint& endpoint);
std::string Describe(const BucketView& bucket);
std::string Describe(const Operations& operations);
std::vector<std::string> Describe(const std::vector<BucketView>& buckets);

// Sorted.
std::vector<std::string> Describe(const DeliveryStore::Recovered& recovered);

// Fails the test at the first line in which they differ.
void ExpectSameLines(const std::vector<std::string>& expected, const std::vector<std::string>& actual,
                     const std::string& where);

}  // namespace hookd
