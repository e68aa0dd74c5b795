#include "schedulers/channel_spaces.h"

#include <utility>

namespace sparsify {
namespace {

size_t Index(int i) { return static_cast<size_t>(i); }

}  // namespace

ChannelSpaceSet::Layout ChannelSpaceSet::Start(int64_t channels) {
  spaces_.push_back({channels, channels, "", {}});
  parents_.push_back(static_cast<int>(parents_.size()));
  return {{parents_.back()}, 1};
}

int ChannelSpaceSet::Root(int space) const {
  while (parents_[Index(space)] != space) space = parents_[Index(space)];
  return space;
}

int64_t ChannelSpaceSet::Channels(int space) const { return spaces_[Index(space)].channels; }

int64_t ChannelSpaceSet::Channels(const Layout& layout) const {
  int64_t sum = 0;
  for (const int space : layout.spaces) sum += Channels(space);
  return sum;
}

void ChannelSpaceSet::Fix(const Layout& layout, std::string_view reason) {
  for (const int space : layout.spaces) {
    std::string& fixed = spaces_[Index(Root(space))].fixed;
    if (fixed.empty()) fixed = reason;
  }
}

void ChannelSpaceSet::Restrict(const Layout& layout, int64_t block, std::string_view reason) {
  int64_t offset = 0;
  for (const int id : layout.spaces) {
    ChannelSpace& space = spaces_[Index(Root(id))];
    if (offset % block != 0 || space.channels % block != 0) {
      Fix(layout, reason);
      return;
    }
    offset += space.channels;
  }
  for (const int id : layout.spaces) {
    ChannelSpace& space = spaces_[Index(Root(id))];
    if (space.block % block == 0) {
      space.block = block;
    } else if (block % space.block != 0) {
      Fix({{id}, 1}, reason);
    }
  }
}

void ChannelSpaceSet::Unite(int a, int b, std::string_view reason) {
  const int kept = std::min(Root(a), Root(b));
  const int gone = std::max(Root(a), Root(b));
  if (kept == gone) return;
  ChannelSpace& from = spaces_[Index(gone)];
  parents_[Index(gone)] = kept;
  if (!from.fixed.empty()) Fix({{kept}, 1}, from.fixed);
  Restrict({{kept}, 1}, from.block, reason);
  ChannelSpace& to = spaces_[Index(kept)];
  to.uses.insert(to.uses.end(), from.uses.begin(), from.uses.end());
  from.uses.clear();
}

ChannelSpaceSet::Layout ChannelSpaceSet::Unite(const Layout& a, const Layout& b,
                                               std::string_view reason) {
  bool alike = a.inner == b.inner && a.spaces.size() == b.spaces.size();
  for (size_t i = 0; alike && i < a.spaces.size(); ++i) {
    alike = Channels(a.spaces[i]) == Channels(b.spaces[i]);
  }
  if (!alike) {
    Fix(a, reason);
    Fix(b, reason);
    return a.spaces.empty() ? b : a;
  }
  for (size_t i = 0; i < a.spaces.size(); ++i) Unite(a.spaces[i], b.spaces[i], reason);
  return a;
}

void ChannelSpaceSet::Add(int space, const ChannelUse& use) {
  spaces_[Index(Root(space))].uses.push_back(use);
}

std::vector<ChannelSpace> ChannelSpaceSet::Take() {
  std::vector<ChannelSpace> roots;
  for (size_t i = 0; i < spaces_.size(); ++i) {
    if (parents_[i] == static_cast<int>(i)) roots.push_back(std::move(spaces_[i]));
  }
  spaces_.clear();
  parents_.clear();
  return roots;
}

}  // namespace sparsify
