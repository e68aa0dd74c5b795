// Every file in configs/ and the generated reference page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "sparsity/base/file.h"
#include "sparsity/cli/run_config.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> AllConfigs() {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(SPARSIFY_SOURCE_DIR "/configs")) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  return paths;
}

class EveryConfig : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryConfig, CanBeReadAndHasLevels) {
  const OptionsDocument document = OptionsDocument::FromExtending(GetParam());
  const RunConfig config = ReadRunConfig(document);
  EXPECT_EQ(SweepLevels(config, document).empty(), GetParam().ends_with("_dense.yaml"));
  EXPECT_TRUE(MissingFeatures(config, document).empty());
}

INSTANTIATE_TEST_SUITE_P(Configs, EveryConfig, ::testing::ValuesIn(AllConfigs()),
                         [](const auto& config) {
                           std::string name = fs::path(config.param).stem().string();
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

TEST(Configs, AreAllThere) { EXPECT_GE(AllConfigs().size(), 8U); }

/// The keys of a document's text, comments included where a key stands in one.
TEST(Configs, SparsityYamlShowsEveryKey) {
  const std::string text = ReadFile(SPARSIFY_SOURCE_DIR "/configs/sparsity.yaml", 1 << 20);
  RunConfig defaults;
  const std::string resolved = ResolvedConfig(defaults);
  size_t keys = 0;
  for (size_t begin = 0; begin < resolved.size();) {
    const size_t end = resolved.find('\n', begin);
    const std::string line = resolved.substr(begin, end - begin);
    const std::string key = line.substr(0, line.find(':'));
    const std::string word = key.substr(key.find_first_not_of(' ')) + ":";
    EXPECT_NE(text.find(word), std::string::npos) << word << " is missing in configs/sparsity.yaml";
    begin = end + 1;
    ++keys;
  }
  EXPECT_GT(keys, 30U);
}

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ConfigReference, DocsHoldWhatTheProgramPrints) {
  const auto docs = Lines(ReadFile(SPARSIFY_SOURCE_DIR "/docs/config.md", 1 << 20));
  const auto printed = Lines(ConfigReference());
  for (size_t i = 0; i < std::min(docs.size(), printed.size()); ++i) {
    ASSERT_EQ(docs[i], printed[i])
        << "docs/config.md:" << i + 1 << ": regenerate with sparsify --help-config markdown";
  }
  EXPECT_EQ(docs.size(), printed.size());
}

}  // namespace
}  // namespace sparsify
