#include "config/profile_loader.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "base/status_macros.h"
#include "config/document.h"
#include "hookd/config/v1/profile.pb.h"

namespace hookd {
namespace {

namespace pb = config::v1;

Millis ToMillis(const google::protobuf::Duration& duration) {
  return Millis(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

template <typename Field>
std::vector<std::string> ToVector(const Field& values) {
  return {values.begin(), values.end()};
}

DeliveryMode ToMode(const std::string& word) {
  if (word == "parallel") return DeliveryMode::kParallel;
  return word == "keyed" ? DeliveryMode::kKeyed : DeliveryMode::kOrdered;
}

// Builds one profile, and tells `document` of what it cannot make of it.
class Builder {
 public:
  Builder(std::string folder, config::Document& document) : folder_(std::move(folder)), document_(document) {}

  Profile Build(const pb::Profile& from) {
    Profile profile;
    profile.name = from.name();
    profile.title = from.title();
    profile.description = from.description();
    profile.policy = Build(from.policy());
    profile.overridable = ToVector(from.overridable());
    profile.longest_timeout = ToMillis(from.longest_timeout());
    profile.schemes = ToVector(from.url().schemes());
    profile.ports = {from.url().ports().begin(), from.url().ports().end()};
    profile.endpoints_per_channel = static_cast<uint32_t>(from.endpoints_per_channel());
    profile.custom_headers = from.custom_headers();
    for (const pb::ProfileSetting& setting : from.settings()) profile.settings.push_back(Build(setting));
    profile.simulation_plans = ToVector(from.tools().simulation().plans());
    profile.capture_plans = ToVector(from.tools().capture().plans());
    if (from.ownership() == "hub_challenge") profile.ownership = Ownership::kHubChallenge;
    if (from.ownership() == "hmac_challenge") profile.ownership = Ownership::kHmacChallenge;
    if (from.ownership() == "cloudevents") profile.ownership = Ownership::kCloudEvents;
    if (from.has_api_key()) {
      profile.api_key = {from.api_key().header(), from.api_key().on_rotate() == "clear_endpoints",
                         from.api_key().echo_headers() == "clear"};
    }
    if (from.has_message_gets()) {
      const pb::ProfileMessageGets& gets = from.message_gets();
      profile.message_gets = {gets.incoming(), gets.outgoing(), gets.all(), gets.member()};
    }
    for (int i = 0; i < from.event_types_size(); ++i) {
      profile.event_types.push_back(Build(from.event_types(i), absl::StrCat("event_types[", i, "]")));
    }
    return profile;
  }

 private:
  DeliveryPolicy Build(const pb::ProfilePolicy& from) {
    DeliveryPolicy policy;
    policy.mode = ToMode(from.mode());
    policy.max_in_flight = static_cast<uint32_t>(from.max_in_flight());
    policy.timeout = ToMillis(from.timeout());
    policy.success.clear();
    for (const std::string& range : from.success_codes()) policy.success.push_back(BuildRange(range));
    policy.max_retries = static_cast<uint32_t>(from.max_retries());
    policy.backoff = Build(from.backoff());
    policy.rate.per_second = static_cast<uint32_t>(from.rate_limit().per_second());
    policy.rate.burst = static_cast<uint32_t>(from.rate_limit().burst());
    policy.rate.unit = from.rate_limit().unit() == "member" ? RateUnit::kMember : RateUnit::kRequest;
    policy.retry_after_max = ToMillis(from.retry_after_max());
    policy.alert_after = static_cast<uint32_t>(from.alert_after());
    policy.disable.failures = static_cast<uint32_t>(from.auto_disable().failures());
    policy.disable.span = ToMillis(from.auto_disable().span());
    policy.disable.on_gone = from.auto_disable().on_gone();
    policy.disable.count_429 = from.auto_disable().count_429();
    policy.backlog = static_cast<uint64_t>(from.backlog());
    policy.http_version = from.http_version() == "2" ? HttpVersion::kHttp2 : HttpVersion::kHttp11;
    policy.keep_all_bodies = from.kept_bodies() == "all";
    policy.batch.event_types = ToVector(from.batch().event_types());
    policy.batch.max_members = static_cast<uint32_t>(from.batch().max_members());
    policy.batch.linger = ToMillis(from.batch().linger());
    policy.coalesce = from.coalesce();
    policy.mail_subscriber = from.mail_subscriber();
    policy.probe.first = ToMillis(from.auto_probe().first());
    policy.probe.cap = ToMillis(from.auto_probe().cap());
    return policy;
  }

  StatusRange BuildRange(const std::string& text) {
    const std::vector<std::string> ends = absl::StrSplit(text, '-');
    StatusRange range{0, 0};
    if (ends.size() > 2 || !absl::SimpleAtoi(ends.front(), &range.first) ||
        !absl::SimpleAtoi(ends.back(), &range.last)) {
      document_.FaultNear("policy.success_codes: holds what is no status and no range: write 200 or 200-209");
    }
    return range;
  }

  // What a kind takes, and nothing else, is there.
  void CheckGiven(bool given, bool taken, absl::string_view key, const std::string& kind) {
    if (given == taken) return;
    document_.FaultNear(absl::StrCat("policy.backoff.", key,
                                     given ? ": has no meaning for kind " : ": is missing for kind ", kind,
                                     given ? ", remove it" : ", give it"));
  }

  Backoff Build(const pb::ProfileBackoff& from) {
    Backoff backoff;
    const std::string& kind = from.kind();
    const bool schedule = kind == "schedule";
    const bool exponential = kind == "exponential";
    if (exponential) backoff.kind = BackoffKind::kExponential;
    if (kind == "fixed") backoff.kind = BackoffKind::kFixed;
    if (schedule) backoff.kind = BackoffKind::kSchedule;
    CheckGiven(from.has_step(), !schedule, "step", kind);
    CheckGiven(from.has_cap(), kind == "linear" || exponential, "cap", kind);
    CheckGiven(from.factor() != 0, exponential, "factor", kind);
    CheckGiven(!from.schedule().empty(), schedule, "schedule", kind);
    if (from.has_step()) backoff.step = ToMillis(from.step());
    if (from.has_cap()) backoff.cap = ToMillis(from.cap());
    if (exponential) backoff.factor = from.factor();
    for (const google::protobuf::Duration& wait : from.schedule()) backoff.schedule.push_back(ToMillis(wait));
    backoff.jitter = from.jitter();
    backoff.exact_first = from.exact_first();
    return backoff;
  }

  static ProfileSetting Build(const pb::ProfileSetting& from) {
    return {from.name(),        ToVector(from.aliases()), from.default_(),
            from.description(), Build(from.when_on()),    Build(from.when_off())};
  }

  static ProfileEffect Build(const pb::ProfileEffect& from) {
    ProfileEffect effect;
    if (!from.mode().empty()) effect.mode = ToMode(from.mode());
    if (from.has_max_in_flight()) effect.max_in_flight = static_cast<uint32_t>(from.max_in_flight());
    if (from.has_max_retries()) effect.max_retries = static_cast<uint32_t>(from.max_retries());
    effect.mutes = ToVector(from.mutes());
    return effect;
  }

  ProfileEventType Build(const pb::ProfileEventType& from, const std::string& key) {
    ProfileEventType type;
    type.name = from.name();
    type.title = from.title();
    type.description = from.description();
    type.batch = from.shape() == "batch";
    type.plans = ToVector(from.plans());
    type.schema_file = from.schema();
    if (!type.schema_file.empty()) type.schema = ReadPart(type.schema_file, key + ".schema");
    for (int i = 0; i < from.samples_size(); ++i) {
      const pb::ProfileSample& sample = from.samples(i);
      type.samples.push_back({sample.name(), sample.description(), sample.file(),
                              ReadPart(sample.file(), absl::StrCat(key, ".samples[", i, "].file"))});
    }
    return type;
  }

  // A file of the profile's own folder.
  std::string ReadPart(const std::string& file, const std::string& key) {
    const std::filesystem::path path(file);
    if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end()) {
      document_.FaultNear(absl::StrCat(key, ": leads out of the profile's folder: put the file into it"));
      return "";
    }
    absl::StatusOr<std::string> bytes = config::ReadFile(folder_ + "/" + file, kMaxProfileFileBytes);
    if (bytes.ok()) return *std::move(bytes);
    document_.FaultNear(absl::StrCat(key, ": ", bytes.status().message()));
    return "";
  }

  const std::string folder_;
  config::Document& document_;
};

absl::Status Join(const std::vector<std::string>& faults) {
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

}  // namespace

absl::StatusOr<Profile> LoadProfile(const std::string& path, const ProfileCheck& check) {
  ASSIGN_OR_RETURN(const std::string yaml, config::ReadFile(path, config::kMaxDocumentBytes));
  config::Document document(path, config::Missing::kFault);
  pb::Profile read;
  document.Read(yaml, read);
  if (!document.ok()) return Join(document.faults());
  const std::filesystem::path file(path);
  if (read.name() != file.stem().string()) document.Fault("name", "is not the file's: give both the same");
  Profile profile = Builder((file.parent_path() / file.stem()).string(), document).Build(read);
  if (!document.ok()) return Join(document.faults());
  if (const absl::Status checked = check(profile); !checked.ok()) document.FaultNear(checked.message());
  if (!document.ok()) return Join(document.faults());
  return profile;
}

absl::StatusOr<std::vector<Profile>> LoadProfiles(const std::vector<std::string>& folders,
                                                  const ProfileCheck& check) {
  std::vector<Profile> profiles;
  std::vector<std::string> faults;
  for (const std::string& folder : folders) {
    std::error_code error;
    std::vector<std::string> paths;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
      if (it->path().extension() == ".yaml") paths.push_back(it->path().string());
    }
    if (error) {
      faults.push_back(absl::StrCat(folder, ": cannot be read (", error.message(),
                                    "): give a folder of profiles, or install hookd's own"));
    }
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      absl::StatusOr<Profile> profile = LoadProfile(path, check);
      if (!profile.ok()) {
        faults.emplace_back(profile.status().message());
        continue;
      }
      const bool twice = std::any_of(profiles.begin(), profiles.end(), [&profile](const Profile& other) {
        return other.name == profile->name;
      });
      if (twice) {
        faults.push_back(
            absl::StrCat(path, ": there is a profile ", profile->name, " already: give it another name"));
        continue;
      }
      profiles.push_back(*std::move(profile));
    }
  }
  if (profiles.size() > kMaxProfiles) {
    faults.push_back(absl::StrCat("there are ", profiles.size(), " profiles: keep at most ", kMaxProfiles));
  }
  if (!faults.empty()) return Join(faults);
  std::sort(profiles.begin(), profiles.end(),
            [](const Profile& a, const Profile& b) { return a.name < b.name; });
  return profiles;
}

}  // namespace hookd
