#include "sparsity/ops/onednn_primitive.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "sparsity/tensor/tensor.h"

namespace sparsify::plain_onednn {
namespace {

constexpr size_t kAlignment = 64;

// Hands out aligned pieces of one buffer a thread keeps between calls.
class Scratch {
 public:
  explicit Scratch(size_t bytes) {
    thread_local Tensor buffer;
    buffer.Resize(Shape{static_cast<int64_t>(bytes / sizeof(float))});
    next_ = reinterpret_cast<char*>(buffer.data());
  }
  static size_t Round(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
  void* Take(size_t bytes) { return std::exchange(next_, next_ + Round(bytes)); }

 private:
  char* next_ = nullptr;
};

dnnl::memory Wrap(const Desc& desc, const void* data) {
  return {desc, Engine(), const_cast<void*>(data)};  // oneDNN takes inputs as void*
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Engine());
  return stream;
}

dnnl::reorder MakeReorder(const Desc& from, const Desc& to) {
  return dnnl::reorder(dnnl::reorder::primitive_desc(Engine(), from, Engine(), to));
}

}  // namespace

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

void PlainPrimitive::BindInput(int id, const Desc& plain, const Desc& preferred) {
  arguments_.push_back({id, false, plain, preferred, std::nullopt});
  if (plain != preferred) arguments_.back().reorder = MakeReorder(plain, preferred);
}

void PlainPrimitive::BindOutput(int id, const Desc& plain, const Desc& preferred) {
  arguments_.push_back({id, true, plain, preferred, std::nullopt});
  if (plain != preferred) arguments_.back().reorder = MakeReorder(preferred, plain);
}

const PlainPrimitive::Argument& PlainPrimitive::Find(int id) const {
  return *std::find_if(arguments_.begin(), arguments_.end(),
                       [id](const Argument& argument) { return argument.id == id; });
}

Lent PlainPrimitive::Share(int id, const PlainPrimitive& other, const float* plain) const {
  const Argument& own = Find(id);
  if (!own.reorder || own.preferred != other.Find(id).preferred) return {};
  thread_local Tensor buffer;
  buffer.Resize(
      Shape{static_cast<int64_t>(Scratch::Round(own.preferred.get_size()) / sizeof(float))});
  dnnl::memory from = Wrap(own.plain, plain);
  dnnl::memory to = Wrap(own.preferred, buffer.data());
  own.reorder->execute(Stream(), from, to);
  Stream().wait();
  return {id, buffer.data()};
}

void PlainPrimitive::Run(const std::vector<const float*>& data, const Lent& lent) const {
  dnnl::stream& stream = Stream();
  const auto is_lent = [&](const Argument& a) { return lent.data != nullptr && a.id == lent.id; };
  size_t bytes = Scratch::Round(scratchpad_.get_size());
  for (const Argument& a : arguments_) {
    if (a.reorder && !is_lent(a)) bytes += Scratch::Round(a.preferred.get_size());
  }
  Scratch scratch(bytes);
  std::unordered_map<int, dnnl::memory> memory;
  for (size_t i = 0; i < arguments_.size(); ++i) {
    const Argument& a = arguments_[i];
    if (is_lent(a)) {
      memory.emplace(a.id, Wrap(a.preferred, lent.data));
      continue;
    }
    dnnl::memory plain = Wrap(a.plain, data.at(i));
    if (!a.reorder) {
      memory.emplace(a.id, plain);
      continue;
    }
    dnnl::memory preferred(a.preferred, Engine(), scratch.Take(a.preferred.get_size()));
    if (!a.is_output) a.reorder->execute(stream, plain, preferred);
    memory.emplace(a.id, preferred);
  }
  memory.emplace(DNNL_ARG_SCRATCHPAD,
                 dnnl::memory(scratchpad_, Engine(), scratch.Take(scratchpad_.get_size())));
  primitive_.execute(stream, memory);
  for (size_t i = 0; i < arguments_.size(); ++i) {
    const Argument& a = arguments_[i];
    if (!a.is_output || !a.reorder) continue;
    dnnl::memory plain = Wrap(a.plain, data[i]);
    a.reorder->execute(stream, memory.at(a.id), plain);
  }
  stream.wait();
}

}  // namespace sparsify::plain_onednn
