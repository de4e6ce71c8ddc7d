// Bits that flip in the files of a folder at rest. Either the start is refused in words that name the folder,
// or what is damaged is told and held; a payload that was changed is never sent, and nothing is lost in
// silence. HOOKD_FAULT_FLIPS=2000 HOOKD_FAULT_SEED=1 for the long form.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/fakes/under_asan.h"
#include "tests/fault/ledger.h"
#include "tests/fault/life.h"
#include "tests/fault/report.h"
#include "tests/fault/victim.h"

namespace hookd::fault {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kFlips = testing::kUnderAsan ? 9 : 36;

constexpr size_t kEventsAtRest = 300;  // that are pending, and as many that were delivered
// With something held back: how long nothing has to arrive for all to have arrived that will.
constexpr std::chrono::milliseconds kQuiet{400};

// --victim FOLDER NUMBERS: delivers what is pending, reads everything, and says what it could not.
int Victim(const std::vector<std::string>& arguments) {
  const std::string& folder = arguments[0];
  const uint64_t numbers = std::stoul(arguments[1]);
  Ledger ledger(1);
  for (const auto& [url, lane] : Life::Lanes()) ledger.AddLane(url, lane);
  for (uint64_t n = 0; n < numbers; ++n) ledger.TakeNumber();
  ledger.SetFailures(0);
  ledger.SetWitness(STDOUT_FILENO);
  ledger.Begin();
  std::atomic<bool> ended{false};
  const auto end = [&](const std::string& why, int code) {
    if (ended.exchange(true)) pause();
    ledger.Cut();
    Say(Concat("told ", why));
    _exit(code);
  };
  LifeOptions options{folder, nullptr,
                      [&](const absl::Status& status) { end(status.ToString(), kExitFatal); }};
  Life life(options, ledger);
  const absl::Status started = life.Start();
  if (!started.ok()) end(started.ToString(), kExitRefused);
  const absl::Status healed = life.Heal();
  if (!healed.ok()) Say(Concat("told ", healed.ToString()));
  size_t arrived = 0;
  SteadyTime moved = RealClock().Steady();
  while (life.store().Stats().pending > 0) {
    const SteadyTime now = RealClock().Steady();
    if (ledger.arrivals() != arrived) {
      arrived = ledger.arrivals();
      moved = now;
    }
    if (!life.listener().errors().empty() && now - moved > kQuiet) break;
    std::this_thread::yield();
  }
  for (const std::string& error : life.listener().errors()) Say(Concat("told ", error));
  Say(Concat("pending ", life.store().Stats().pending));
  EventQuery query;
  query.subscriber_id = "acme";
  query.limit = 100;
  uint64_t listed = 0;
  for (bool more = true; more;) {
    const absl::StatusOr<EventPage> page = life.engine().ListEvents(query);
    if (!page.ok()) {
      Say(Concat("told ", page.status().ToString()));
      break;
    }
    for (const std::shared_ptr<const Event>& event : page->events) {
      if (!NumberOf(event->payload)) Say("fault 0 a payload that was changed was read");
      ++listed;
    }
    query.after = page->last;
    more = page->more;
  }
  Say(Concat("listed ", listed));
  life.Drain();
  _exit(0);
}

// A file's kind, for counting.
std::string KindOf(const fs::path& path) {
  const std::string name = path.filename();
  const std::string extension = path.extension();
  if (!extension.empty()) return extension.substr(1);
  return name.substr(0, name.find('-'));
}

class BitFlipTest : public ::testing::Test {
 protected:
  // Half of its events delivered, half of them pending; in tables, blob files and the log.
  void MakeFolder() {
    for (const auto& [url, lane] : Life::Lanes()) ledger_.AddLane(url, lane);
    ledger_.SetFailures(0);
    const int notes = open(notes_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ledger_.SetWitness(notes);
    for (int life_number = 0; life_number < 3; ++life_number) {
      ledger_.Begin();
      Life life({folder_, nullptr, nullptr}, ledger_);
      ASSERT_TRUE(life.Start().ok());
      if (life_number > 0) Pause(life);
      for (size_t i = 0; i < kEventsAtRest / (life_number == 0 ? 1 : 2); ++i) {
        ASSERT_TRUE(life.Publish({ledger_.TakeNumber()}));
      }
      if (life_number == 0) {
        ASSERT_TRUE(life.WaitUntilNothingIsPending(std::chrono::seconds(60)));
      }
      life.Drain();
    }
    ledger_.Cut();
    ledger_.SetWitness(-1);
    close(notes);
    ASSERT_TRUE(ledger_.faults().empty()) << ledger_.faults().front();
  }

  // A ledger that knows what this one does.
  std::unique_ptr<Ledger> Seen() const {
    auto seen = std::make_unique<Ledger>(1);
    for (const auto& [url, lane] : Life::Lanes()) seen->AddLane(url, lane);
    std::ifstream notes(notes_);
    for (std::string line; std::getline(notes, line);) seen->Read(line);
    seen->Begin();
    return seen;
  }

  static void Pause(Life& life) {
    for (const auto& [url, lane] : Life::Lanes()) {
      const absl::StatusOr<EndpointId> id = life.EndpointOf(url);
      ASSERT_TRUE(id.ok());
      ASSERT_TRUE(life.engine().SetEndpointPaused(*id, true, "").ok());
    }
  }

  std::map<std::string, std::vector<std::string>> FilesByKind() const {
    std::map<std::string, std::vector<std::string>> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
      const std::string kind = KindOf(entry.path());
      const bool chatter = entry.path().filename().string().starts_with("LOG");
      if (!entry.is_regular_file() || entry.file_size() == 0 || chatter) continue;
      files[kind].push_back(fs::relative(entry.path(), folder_));
    }
    return files;
  }

  // What was wrong; empty = the promise holds.
  std::string Judge(const std::string& copy, const Ending& ending, bool told, uint64_t pending,
                    uint64_t listed, const Ledger& seen) const {
    for (const std::string& fault : seen.faults()) return fault;
    if (ending.exit_code == kExitRefused || ending.exit_code == kExitFatal) {
      return told ? "" : "it ended and did not say why";
    }
    if (ending.exit_code != 0) {
      return Concat("exit code ", std::to_string(ending.exit_code), ", signal ",
                    std::to_string(ending.signal), ": ", ending.errors);
    }
    if (told) return "";
    if (pending > 0) return Concat(pending, " deliveries are held and nothing was said, in ", copy);
    if (listed != ledger_.numbers()) return Concat(listed, " events are left and nothing was said");
    return "";
  }

  const Scratch scratch_;
  const std::string folder_ = scratch_.path() + "/data";
  const std::string notes_ = scratch_.path() + "/notes";
  Ledger ledger_{1};
};

void Flip(const std::string& path, uint64_t bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(static_cast<char>(byte ^ (1 << (bit % 8))));
}

TEST_F(BitFlipTest, IsToldOrDoesNotMatter) {
  const uint64_t flips = FromEnvironment("HOOKD_FAULT_FLIPS", kFlips);
  const uint64_t seed = FromEnvironment("HOOKD_FAULT_SEED", std::random_device()());
  std::mt19937_64 random(seed);
  Report report("bit_flips");
  MakeFolder();
  if (HasFatalFailure()) return;
  const auto files = FilesByKind();
  for (const char* kind : {"sst", "blob", "log", "MANIFEST", "CURRENT", "OPTIONS", "HOOKD"}) {
    ASSERT_TRUE(files.contains(kind)) << kind;
  }
  std::map<std::string, std::map<std::string, uint64_t>> ends;  // by kind of file
  uint64_t found = 0;
  for (uint64_t i = 0; i < flips && found < 10; ++i) {
    auto kind = files.begin();
    std::advance(kind, static_cast<ptrdiff_t>((seed + i) % files.size()));
    const std::string& file = kind->second[random() % kind->second.size()];
    const std::string copy = Concat(scratch_.path(), "/copy");
    fs::remove_all(copy);
    fs::copy(folder_, copy, fs::copy_options::recursive);
    const std::string path = Concat(copy, "/", file);
    const uint64_t bit = random() % (fs::file_size(path) * 8);
    Flip(path, bit);

    const std::unique_ptr<Ledger> seen = Seen();
    bool told = false;
    std::string words;
    uint64_t pending = 0;
    uint64_t listed = 0;
    const Ending ending = RunVictim({copy, std::to_string(ledger_.numbers())}, [&](const std::string& line) {
      if (line.starts_with("told ")) {
        if (!told) words = line;
        told = true;
      } else if (line.starts_with("pending ")) {
        pending = std::stoul(line.substr(8));
      } else if (line.starts_with("listed ")) {
        listed = std::stoul(line.substr(7));
      } else {
        seen->Read(line);
      }
    });
    if (ending.exit_code == 0 && !told) seen->JudgeTheEnd();
    std::string wrong = Judge(copy, ending, told, pending, listed, *seen);
    if (wrong.empty() && ending.exit_code == kExitRefused && words.find(copy) == std::string::npos) {
      wrong = "the folder is not named";
    }
    if (!wrong.empty()) {
      ++found;
      ADD_FAILURE() << "seed " << seed << ", flip " << i << ", bit " << bit << " of " << file << ": " << wrong
                    << "\n"
                    << words;
    }
    const char* end = ending.exit_code == kExitRefused ? "refused"
                      : ending.exit_code == kExitFatal ? "ended"
                      : ending.exit_code != 0          ? "crashed"
                      : told                           ? "held"
                                                       : "harmless";
    ++ends[kind->first][end];
    if (std::getenv("HOOKD_FAULT_SAY") != nullptr) {
      std::printf("bit %llu of %s: %s %s\n", static_cast<unsigned long long>(bit), file.c_str(), end,
                  words.c_str());
    }
  }
  for (const auto& [kind, counts] : ends) {
    for (const auto& [end, count] : counts) report.Add(Concat(kind, "_", end), count);
  }
  report.Add("seed", seed);
  report.Write(flips, found);
}

}  // namespace
}  // namespace hookd::fault

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--victim") {
    return hookd::fault::Victim({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
