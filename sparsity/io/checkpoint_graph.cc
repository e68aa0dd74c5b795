#include "sparsity/io/checkpoint_graph.h"

#include <zlib.h>

#include <algorithm>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sparsity/base/file.h"
#include "sparsity/io/checkpoint_format.h"

namespace sparsify {
namespace {

using checkpoint_format::kNodeAttributePrefix;
using checkpoint_format::NodePath;
using checkpoint_format::PortPath;
using checkpoint_format::WeightPath;

constexpr int64_t kMaxWeightBytes = int64_t{8} << 30;
constexpr std::string_view kInputs = "inputs";
constexpr std::string_view kOutputs = "outputs";

using AttributeMap = std::map<std::string, Hdf5Attribute>;

std::string At(const Hdf5File& file, std::string_view object) {
  return fmt::format("{}:{}", file.path(), object);
}

std::vector<std::string> NamesOf(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(id == kNoValue ? "" : graph.value(id).name);
  return names;
}

void WriteNode(const Graph& graph, const Node& node, const std::string& object, Hdf5File& file) {
  file.WriteGroup(object);
  file.SetAttribute(object, "name", node.name);
  file.SetAttribute(object, "op", std::string(OpName(node.type)));
  file.SetAttribute(object, "inputs", NamesOf(graph, node.inputs));
  file.SetAttribute(object, "outputs", NamesOf(graph, node.outputs));
  for (const auto& [name, value] : node.attributes.all()) {
    const std::string stored = std::string(kNodeAttributePrefix) + name;
    std::visit([&](const auto& v) { file.SetAttribute(object, stored, v); }, value);
  }
}

void WritePorts(const Graph& graph, const std::vector<Port>& ports, std::string_view side,
                Hdf5File& file) {
  file.WriteGroup(fmt::format("/graph/{}", side));
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string object = PortPath(side, static_cast<int64_t>(i));
    file.WriteGroup(object);
    file.SetAttribute(object, "value", graph.value(ports[i].value).name);
    file.SetAttribute(object, "shape", ports[i].shape.dims());
  }
}

void WriteWeights(const Graph& graph, Hdf5File& file) {
  file.WriteGroup("/weights");
  for (const Value& value : graph.values()) {
    if (!value.is_parameter) continue;
    const std::string object = WeightPath(value.name);
    const Tensor& data = value.data;
    file.WriteFloats(object, data.shape(), data.values());
    file.SetAttribute(object, "name", value.name);
    file.SetAttribute(object, "crc32", int64_t{Crc32Of(data.data(), data.values().size_bytes())});
  }
}

// Takes the attribute out of the map, so that what is left can be told to be too much.
template <class T>
T Take(AttributeMap& attributes, const std::string& name, std::string_view kind,
       const std::string& where) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) Fail(where, "attribute \"{}\" is missing", name);
  T* typed = std::get_if<T>(&found->second);
  if (typed == nullptr) Fail(where, "attribute \"{}\" is not {}", name, kind);
  T value = std::move(*typed);
  attributes.erase(found);
  return value;
}

std::vector<ValueId> IdsOf(const Graph& graph, const std::vector<std::string>& names,
                           const std::string& where) {
  std::vector<ValueId> ids;
  for (const std::string& name : names) {
    const ValueId id = name.empty() ? kNoValue : graph.FindValue(name);
    if (!name.empty() && id == kNoValue) {
      Fail(where, "refers to the value \"{}\", which /graph/values does not list", name);
    }
    ids.push_back(id);
  }
  return ids;
}

Attributes NodeAttributes(const AttributeMap& stored, const std::string& where) {
  Attributes attributes;
  for (const auto& [name, value] : stored) {
    if (!name.starts_with(kNodeAttributePrefix)) continue;  // added by a later minor version
    const std::string own = name.substr(kNodeAttributePrefix.size());
    if (std::holds_alternative<std::vector<std::string>>(value)) {
      Fail(where, "attribute \"{}\" is a list of texts, which no operator takes", name);
    }
    std::visit(
        [&](const auto& v) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, std::vector<std::string>>) {
            attributes.Set(own, v);
          }
        },
        value);
  }
  return attributes;
}

int64_t PayloadBytes(const AttributeMap& attributes) {
  int64_t bytes = 0;
  for (const auto& [name, value] : attributes) {
    if (const auto* ints = std::get_if<std::vector<int64_t>>(&value))
      bytes += std::ssize(*ints) * 8;
    if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
      bytes += std::ssize(*reals) * 8;
    }
    if (const auto* text = std::get_if<std::string>(&value)) bytes += std::ssize(*text);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& text : *texts) bytes += std::ssize(text) + 1;
    }
  }
  return bytes;
}

// Attributes are stored plain, so that together they cannot exceed the file; a file in which
// many names lead to one object could otherwise ask for any amount of memory.
Node ReadNode(const Graph& graph, const Hdf5File& file, const std::string& object,
              int64_t& bytes_left) {
  const std::string where = At(file, object);
  AttributeMap stored = file.GetAttributes(object);
  bytes_left -= PayloadBytes(stored);
  if (bytes_left < 0) Fail(where, "the nodes' attributes exceed the file's size; hostile");
  const std::string op = Take<std::string>(stored, "op", "text", where);
  const std::optional<OpType> type = OpFromName(op);
  if (!type) Fail(where, "unknown operator \"{}\"", op);
  Node node;
  node.type = *type;
  node.name = Take<std::string>(stored, "name", "text", where);
  const std::string_view texts = "a list of texts";
  using Texts = std::vector<std::string>;
  node.inputs = IdsOf(graph, Take<Texts>(stored, std::string(kInputs), texts, where), where);
  node.outputs = IdsOf(graph, Take<Texts>(stored, std::string(kOutputs), texts, where), where);
  node.attributes = NodeAttributes(stored, where);
  return node;
}

// Objects 0000, 0001, … of a group; the count is the number of objects inside.
int64_t CountNumbered(const Hdf5File& file, const std::string& group) {
  return static_cast<int64_t>(file.List(group).size());
}

std::vector<Port> ReadPorts(const Graph& graph, const Hdf5File& file, std::string_view side) {
  std::vector<Port> ports;
  const int64_t count = CountNumbered(file, fmt::format("/graph/{}", side));
  for (int64_t i = 0; i < count; ++i) {
    const std::string object = PortPath(side, i);
    const auto name = GetAttributeAs<std::string>(file, object, "value", "text");
    const ValueId id = graph.FindValue(name);
    if (id == kNoValue) Fail(At(file, object), "refers to the unknown value \"{}\"", name);
    Shape shape(GetAttributeAs<std::vector<int64_t>>(file, object, "shape", "a list of integers"));
    for (const int64_t dim : shape.dims()) {
      if (dim < -1) Fail(At(file, object), "has the shape {}", shape.ToString());
    }
    ports.push_back({id, std::move(shape)});
  }
  return ports;
}

Tensor ReadWeight(const Hdf5File& file, const std::string& name, int64_t& bytes_left) {
  const std::string object = WeightPath(name);
  const Hdf5Dataset info = file.Info(object);
  if (info.type != Hdf5Type::kFloat32) {
    Fail(At(file, object), "holds {}, expected float32", Hdf5TypeName(info.type));
  }
  bytes_left -= info.shape.NumElements() * static_cast<int64_t>(sizeof(float));
  if (bytes_left < 0) {
    Fail(At(file, object), "the weights together exceed {} GiB; damaged or hostile",
         kMaxWeightBytes >> 30);
  }
  Tensor data = Tensor::Uninitialized(info.shape);
  file.ReadFloats(object, 0, info.shape.rank() == 0 ? 1 : info.shape[0], data.values());
  CheckChecksum(file, object, Crc32Of(data.data(), data.values().size_bytes()));
  if (GetAttributeAs<std::string>(file, object, "name", "text") != name) {
    Fail(At(file, object), "its attribute \"name\" is not \"{}\"", name);
  }
  return data;
}

void AddValue(const Hdf5File& file, const std::string& name, bool is_parameter, int64_t& bytes_left,
              Graph& graph) {
  if (name.empty() || graph.FindValue(name) != kNoValue) {
    Fail(At(file, "/graph/values"), "lists the name \"{}\" {}", name,
         name.empty() ? "(empty)" : "twice");
  }
  if (is_parameter) {
    graph.AddParameter(name, ReadWeight(file, name, bytes_left));
  } else {
    graph.AddActivation(name);
  }
}

void ReadValues(const Hdf5File& file, Graph& graph) {
  const std::vector<std::string> names = ReadTexts(file, "/graph/values");
  const std::string flags = "/graph/is_parameter";
  if (file.Dims(flags) != Shape({std::ssize(names)})) {
    Fail(At(file, flags), "has the shape {} for {} values", file.Dims(flags).ToString(),
         names.size());
  }
  CheckChecksum(file, flags, file.Crc32(flags));
  std::vector<uint8_t> is_parameter(names.size());
  file.ReadBytes(flags, 0, std::ssize(names), is_parameter);
  int64_t bytes_left = kMaxWeightBytes;
  for (size_t i = 0; i < names.size(); ++i) {
    AddValue(file, names[i], is_parameter[i] != 0, bytes_left, graph);
  }
  const auto parameters = std::count_if(is_parameter.begin(), is_parameter.end(),
                                        [](uint8_t flag) { return flag != 0; });
  if (const int64_t stored = std::ssize(file.List("/weights")); stored != parameters) {
    Fail(At(file, "/weights"), "holds {} arrays for {} parameters", stored, parameters);
  }
}

void CheckGraph(const Hdf5File& file, Graph& graph) {
  try {
    graph.SortAndCheck();
  } catch (const Error& error) {
    Fail(At(file, "/graph"), "{}", error.what());
  }
}

}  // namespace

uint32_t Crc32Of(const void* bytes, size_t count) {
  return static_cast<uint32_t>(crc32_z(0, static_cast<const unsigned char*>(bytes), count));
}

std::vector<std::string> ReadTexts(const Hdf5File& file, const std::string& object) {
  CheckChecksum(file, object, file.Crc32(object));
  return file.ReadStrings(object);
}

void WriteChecksum(Hdf5File& file, const std::string& object) {
  file.SetAttribute(object, "crc32", int64_t{file.Crc32(object)});
}

void CheckChecksum(const Hdf5File& file, const std::string& object, uint32_t actual) {
  const auto stored = GetAttributeAs<int64_t>(file, object, "crc32", "an integer");
  if (stored != int64_t{actual}) {
    Fail(At(file, object), "has checksum {:08x}, stored is {:08x}; damaged or changed", actual,
         stored);
  }
}

void WriteGraph(const Graph& graph, Hdf5File& file) {
  std::vector<std::string> names;
  std::vector<uint8_t> is_parameter;
  for (const Value& value : graph.values()) {
    names.push_back(value.name);
    is_parameter.push_back(value.is_parameter ? 1 : 0);
  }
  file.WriteGroup("/graph/nodes");
  file.SetAttribute("/graph", "name", graph.name);
  file.WriteStrings("/graph/values", names);
  WriteChecksum(file, "/graph/values");
  file.WriteBytes("/graph/is_parameter", {static_cast<int64_t>(names.size())}, is_parameter);
  WriteChecksum(file, "/graph/is_parameter");
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    WriteNode(graph, graph.nodes()[i], NodePath(static_cast<int64_t>(i)), file);
  }
  WritePorts(graph, graph.inputs, kInputs, file);
  WritePorts(graph, graph.outputs, kOutputs, file);
  WriteWeights(graph, file);
}

Graph ReadGraph(const Hdf5File& file) {
  Graph graph;
  graph.name = GetAttributeAs<std::string>(file, "/graph", "name", "text");
  ReadValues(file, graph);
  const int64_t nodes = CountNumbered(file, "/graph/nodes");
  int64_t bytes_left = FileSize(file.path());
  for (int64_t i = 0; i < nodes; ++i) {
    graph.AddNode(ReadNode(graph, file, NodePath(i), bytes_left));
  }
  graph.inputs = ReadPorts(graph, file, kInputs);
  graph.outputs = ReadPorts(graph, file, kOutputs);
  CheckGraph(file, graph);
  return graph;
}

}  // namespace sparsify
