#include "sparsity/base/options_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 20;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxTreeBytes = size_t{32} << 20;

bool IsNullWord(std::string_view text) {
  constexpr std::array<std::string_view, 6> kWords = {"", "~", "null", "Null", "NULL", "None"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

size_t TreeBytes(const YamlNode& node) {
  size_t bytes = sizeof(YamlNode) + node.text.size() + node.where.size();
  for (const YamlKey& key : node.keys) bytes += sizeof(YamlKey) + key.text.size();
  for (const YamlNode& item : node.items) bytes += TreeBytes(item);
  return bytes;
}

/// Depth of the tree; a scalar counts 1.
size_t Depth(const YamlNode& node) {
  size_t deepest = 0;
  for (const YamlNode& item : node.items) deepest = std::max(deepest, Depth(item));
  return deepest + 1;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string source, YamlPlaces places)
      : source_(std::move(source)), places_(places) {}

  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Finish(NewNode(YamlNode::Kind::kNull, mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      FailUsage(Where(mark), "alias inside of what it stands for; write the value out");
    }
    if (stack_.size() + Depth(found->second) > kMaxDepth) FailDepth(mark);
    Spend(TreeBytes(found->second), mark);
    Finish(found->second, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = NewNode(YamlNode::Kind::kScalar, mark);
    node.plain = tag.empty() || tag == "?";
    node.text = value;
    if (node.plain && IsNullWord(value)) node.kind = YamlNode::Kind::kNull;
    Spend(value.size(), mark);
    Finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Start(YamlNode::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { End(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Start(YamlNode::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { End(); }

  std::string Where(const YAML::Mark& mark) const {
    if (places_ == YamlPlaces::kSourceOnly || mark.is_null()) return source_;
    return fmt::format("{}:{}:{}", source_, mark.line + 1, mark.column + 1);
  }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::map<std::string, std::string> first_place;  // of every key so far
  };

  YamlNode NewNode(YamlNode::Kind kind, const YAML::Mark& mark) {
    Spend(sizeof(YamlNode) + source_.size(), mark);
    YamlNode node;
    node.kind = kind;
    node.where = Where(mark);
    return node;
  }

  void Spend(size_t bytes, const YAML::Mark& mark) {
    used_ += bytes;
    if (used_ > kMaxTreeBytes) {
      FailUsage(Where(mark), "the document grows beyond {} here (aliases are copied)",
                FormatBytes(static_cast<int64_t>(kMaxTreeBytes)));
    }
  }

  [[noreturn]] void FailDepth(const YAML::Mark& mark) const {
    FailUsage(Where(mark), "nested more than {} deep", kMaxDepth);
  }

  void Start(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (stack_.size() >= kMaxDepth) FailDepth(mark);
    stack_.push_back({NewNode(kind, mark), anchor, false, {}});
  }

  void End() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Finish(std::move(frame.node), frame.anchor);
  }

  void Finish(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      used_ += TreeBytes(node);
      anchors_[anchor] = node;
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind != YamlNode::Kind::kMap || frame.has_key) {
      frame.node.items.push_back(std::move(node));
      frame.has_key = false;
      return;
    }
    AddKey(frame, node);
    frame.has_key = true;
  }

  static void AddKey(Frame& frame, const YamlNode& key) {
    if (key.kind != YamlNode::Kind::kScalar) {
      FailUsage(key.where, "expected a key, found {}", key.Describe());
    }
    const auto [place, is_new] = frame.first_place.emplace(key.text, key.where);
    if (!is_new) {
      FailUsage(key.where, "key {} given twice, first at {}", key.Describe(), place->second);
    }
    frame.node.keys.push_back({key.text, key.where});
  }

  const std::string source_;
  const YamlPlaces places_;
  YamlNode root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  size_t used_ = 0;
};

}  // namespace

YamlNode* YamlNode::Find(std::string_view key) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return &items[i];
  }
  return nullptr;
}

const YamlNode* YamlNode::Find(std::string_view key) const {
  return const_cast<YamlNode*>(this)->Find(key);
}

std::string YamlNode::Describe() const {
  constexpr size_t kLongest = 60;
  switch (kind) {
    case Kind::kNull:
      return text.empty() ? "nothing" : text;
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
    case Kind::kScalar:
      break;
  }
  return text.size() <= kLongest ? fmt::format("\"{}\"", text)
                                 : fmt::format("\"{}…\"", text.substr(0, kLongest));
}

YamlNode ParseYaml(const std::string& text, const std::string& source, YamlPlaces places) {
  if (text.size() > kMaxTextBytes) {
    FailUsage(source, "{} of YAML, more than the {} that a configuration may have",
              FormatBytes(static_cast<int64_t>(text.size())),
              FormatBytes(static_cast<int64_t>(kMaxTextBytes)));
  }
  std::istringstream stream(text);
  TreeBuilder builder(source, places);
  try {
    YAML::Parser parser(stream);
    YamlNode root;
    root.where = source;
    if (!parser.HandleNextDocument(builder)) return root;
    root = builder.TakeRoot();
    TreeBuilder second(source, places);
    if (parser.HandleNextDocument(second)) {
      FailUsage(source, "more than one YAML document; keep one");
    }
    return root;
  } catch (const YAML::Exception& error) {
    FailUsage(builder.Where(error.mark), "not valid YAML: {}", error.msg);
  }
}

}  // namespace sparsify
