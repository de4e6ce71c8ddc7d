#include "cli/completion.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    app_.add_option("--output", output_, "for people or for programs")
        ->check(CLI::IsMember({"table", "json"}));
    app_.require_subcommand(1);
    CLI::App* noun = app_.add_subcommand("deliveries", "on their way");
    CLI::App* watch = noun->add_subcommand("watch", "live");
    watch->alias("tail");
    watch->add_flag("--verbose,-v", verbose_, "it's more");
    watch->add_option("--file", file_, "from it");
    watch->add_option("id", id_, "dlv_...");
  }

  CLI::App app_{"a tool", "hookctl"};
  std::string output_;
  std::string file_;
  std::string id_;
  bool verbose_ = false;
};

TEST_F(CompletionTest, TheTreeHasEveryCommandAndOption) {
  const auto tree = CommandTree(app_);
  std::vector<std::string> paths;
  for (const CompletedCommand& command : tree) paths.push_back(command.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"", "deliveries", "deliveries watch", "deliveries tail"}));
  EXPECT_EQ(tree[1].words, (std::vector<std::string>{"watch", "tail"}));
  const auto& options = tree[2].options;
  ASSERT_EQ(options.size(), 3U) << "--help, --verbose and --file: an argument is no option";
  EXPECT_EQ(options[1].names, (std::vector<std::string>{"--verbose", "-v"}));
  EXPECT_FALSE(options[1].takes_value);
  EXPECT_TRUE(options[2].takes_value);
  EXPECT_TRUE(options[2].is_file);
  const auto output = std::find_if(tree[0].options.begin(), tree[0].options.end(),
                                   [](const auto& option) { return option.names[0] == "--output"; });
  ASSERT_NE(output, tree[0].options.end());
  EXPECT_EQ(output->values, (std::vector<std::string>{"table", "json"}));
}

TEST_F(CompletionTest, TextsAreQuoted) {
  EXPECT_NE(FishCompletion(CommandTree(app_)).find("-d 'it'\\''s more'"), std::string::npos);
}

}  // namespace
}  // namespace hookd::cli
