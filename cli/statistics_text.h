// Statistics in words, for people.
#pragma once

#include <string>

#include <google/protobuf/timestamp.pb.h>

#include "cli/output.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

// `now` is for ages.
std::string StatisticsText(const v1::Statistics& statistics, const google::protobuf::Timestamp& now);

// A ranking's table, with its headline.
std::string RankingText(v1::TopBy by, const v1::ListTopEndpointsResponse& ranking,
                        const google::protobuf::Timestamp& now);

// "12.5 %"; "-" of nothing.
std::string ShareText(uint64_t part, uint64_t whole);

}  // namespace hookd::cli
