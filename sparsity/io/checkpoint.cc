#include "sparsity/io/checkpoint.h"

#include <string_view>
#include <type_traits>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/io/checkpoint_format.h"
#include "sparsity/io/checkpoint_graph.h"
#include "sparsity/io/checkpoint_seal.h"
#include "sparsity/io/hdf5_file.h"

namespace sparsify {
namespace {

using checkpoint_format::MaskPath;

std::string At(const Hdf5File& file, std::string_view object) {
  return fmt::format("{}:{}", file.path(), object);
}

void CheckFraction(double value, std::string_view what, const std::string& where) {
  if (!(value >= 0 && value <= 1)) Fail(where, "{} is {}, expected 0 to 1", what, value);
}

// The parameter a mask belongs to; the mask must fit it and every pruned weight be zero.
void CheckMask(const Graph& graph, const std::string& name, const Mask& mask,
               const std::string& where) {
  const ValueId id = graph.FindValue(name);
  if (id == kNoValue || !graph.value(id).is_parameter) {
    Fail(where, "a mask for \"{}\", which is no parameter", name);
  }
  const Tensor& weight = graph.value(id).data;
  if (mask.shape() != weight.shape()) {
    Fail(where, "mask of shape {}, the weight has {}", mask.shape().ToString(),
         weight.shape().ToString());
  }
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (!mask[i] && weight[i] != 0) {
      Fail(where, "element {} is pruned but its weight is {}; apply the mask first", i, weight[i]);
    }
  }
}

// The weight that a layer's name stands for (graph/layers.h).
const Tensor& WeightOf(const Graph& graph, const std::string& layer, const std::string& where) {
  for (const std::string& name : {layer + ".weight", layer}) {
    const ValueId id = graph.FindValue(name);
    if (id != kNoValue && graph.value(id).is_parameter) return graph.value(id).data;
  }
  Fail(where, "layer \"{}\" has no parameter \"{}.weight\" or \"{}\"", layer, layer, layer);
}

// The per-layer table, column by column; elements and zeros follow from the weights.
struct LayerTable {
  std::vector<std::string> name;
  std::vector<double> requested;
  std::vector<double> achieved;
  std::vector<int64_t> elements;
  std::vector<int64_t> zeros;
  std::vector<std::string> skipped;
};

LayerTable TableOf(const Checkpoint& checkpoint, const std::string& where) {
  LayerTable table;
  for (const LayerSparsity& layer : checkpoint.layers) {
    CheckFraction(layer.requested, "requested of " + layer.name, where);
    CheckFraction(layer.achieved, "achieved of " + layer.name, where);
    const Tensor& weight = WeightOf(checkpoint.graph, layer.name, where);
    table.name.push_back(layer.name);
    table.requested.push_back(layer.requested);
    table.achieved.push_back(layer.achieved);
    table.elements.push_back(weight.size());
    table.zeros.push_back(CountZeros(weight));
    table.skipped.push_back(layer.skipped);
  }
  return table;
}

void WriteLayers(const Checkpoint& checkpoint, Hdf5File& file) {
  const LayerTable table = TableOf(checkpoint, At(file, "/layers"));
  const Shape rows = {static_cast<int64_t>(table.name.size())};
  file.WriteStrings("/layers/name", table.name);
  file.WriteDoubles("/layers/requested", rows, table.requested);
  file.WriteDoubles("/layers/achieved", rows, table.achieved);
  file.WriteInts("/layers/elements", rows, table.elements);
  file.WriteInts("/layers/zeros", rows, table.zeros);
  file.WriteStrings("/layers/skipped", table.skipped);
  for (const char* column : {"name", "requested", "achieved", "elements", "zeros", "skipped"}) {
    WriteChecksum(file, std::string("/layers/") + column);
  }
}

void WriteMasks(const Checkpoint& checkpoint, Hdf5File& file) {
  file.WriteGroup("/masks");
  for (const auto& [name, mask] : checkpoint.masks) {
    const std::string object = MaskPath(name);
    CheckMask(checkpoint.graph, name, mask, At(file, object));
    file.WriteBytes(object, {static_cast<int64_t>(mask.bytes().size())}, mask.bytes());
    file.SetAttribute(object, "name", name);
    file.SetAttribute(object, "shape", mask.shape().dims());
    WriteChecksum(file, object);
  }
}

void WriteHistory(const Checkpoint& checkpoint, Hdf5File& file) {
  std::vector<std::string> time;
  std::vector<std::string> version;
  std::vector<std::string> action;
  for (const HistoryEntry& entry : checkpoint.history) {
    time.push_back(entry.time);
    version.push_back(entry.version);
    action.push_back(entry.action);
  }
  file.WriteStrings("/history/time", time);
  file.WriteStrings("/history/version", version);
  file.WriteStrings("/history/action", action);
  for (const char* column : {"time", "version", "action"}) {
    WriteChecksum(file, std::string("/history/") + column);
  }
}

void WriteRoot(const Checkpoint& checkpoint, Hdf5File& file) {
  CheckFraction(checkpoint.requested_sparsity, "requested_sparsity", At(file, "/"));
  CheckFraction(checkpoint.achieved_sparsity, "achieved_sparsity", At(file, "/"));
  file.SetAttribute("/", "format", std::string(checkpoint_format::kFormatName));
  file.SetAttribute("/", "version_major", int64_t{checkpoint_format::kMajor});
  file.SetAttribute("/", "version_minor", int64_t{checkpoint_format::kMinor});
  file.SetAttribute("/", "creator", std::string("sparsify " SPARSIFY_VERSION));
  file.SetAttribute("/", "requested_sparsity", checkpoint.requested_sparsity);
  file.SetAttribute("/", "achieved_sparsity", checkpoint.achieved_sparsity);
}

// A column of exactly `rows` numbers.
template <class T>
std::vector<T> ReadColumn(const Hdf5File& file, const std::string& object, size_t rows) {
  const Shape expected = {static_cast<int64_t>(rows)};
  if (const Shape shape = file.Dims(object); shape != expected) {
    Fail(At(file, object), "has the shape {}, the other columns {}", shape.ToString(),
         expected.ToString());
  }
  CheckChecksum(file, object, file.Crc32(object));
  std::vector<T> column(rows);
  if constexpr (std::is_same_v<T, double>) {
    file.ReadDoubles(object, 0, expected[0], column);
  } else {
    file.ReadInts(object, 0, expected[0], column);
  }
  return column;
}

std::vector<std::string> ReadTextColumn(const Hdf5File& file, const std::string& object,
                                        size_t rows) {
  std::vector<std::string> column = ReadTexts(file, object);
  if (column.size() != rows) {
    Fail(At(file, object), "has {} rows, the other columns {}", column.size(), rows);
  }
  return column;
}

void ReadLayers(const Hdf5File& file, Checkpoint& checkpoint) {
  const std::vector<std::string> name = ReadTexts(file, "/layers/name");
  const auto requested = ReadColumn<double>(file, "/layers/requested", name.size());
  const auto achieved = ReadColumn<double>(file, "/layers/achieved", name.size());
  const auto elements = ReadColumn<int64_t>(file, "/layers/elements", name.size());
  const auto zeros = ReadColumn<int64_t>(file, "/layers/zeros", name.size());
  auto skipped = ReadTextColumn(file, "/layers/skipped", name.size());
  for (size_t i = 0; i < name.size(); ++i) {
    checkpoint.layers.push_back({name[i], requested[i], achieved[i], std::move(skipped[i])});
  }
  const LayerTable actual = TableOf(checkpoint, At(file, "/layers"));
  for (size_t i = 0; i < name.size(); ++i) {
    if (elements[i] != actual.elements[i] || zeros[i] != actual.zeros[i]) {
      Fail(At(file, "/layers"), "says that \"{}\" has {} zeros in {} elements; it has {} in {}",
           name[i], zeros[i], elements[i], actual.zeros[i], actual.elements[i]);
    }
  }
}

Mask ReadMask(const Hdf5File& file, const std::string& object, const Shape& expected) {
  const Shape shape(
      GetAttributeAs<std::vector<int64_t>>(file, object, "shape", "a list of integers"));
  if (shape != expected) {
    Fail(At(file, object), "mask of shape {}, the weight has {}", shape.ToString(),
         expected.ToString());
  }
  const Shape dims = file.Dims(object);
  if (dims != Shape({(shape.NumElements() + 7) / 8})) {
    Fail(At(file, object), "has the shape {} for a mask of {} bits", dims.ToString(),
         shape.NumElements());
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(dims[0]));
  file.ReadBytes(object, 0, dims[0], bytes);
  CheckChecksum(file, object, Crc32Of(bytes.data(), bytes.size()));
  try {
    return Mask::FromBytes(shape, bytes);
  } catch (const Error& error) {
    Fail(At(file, object), "{}", error.what());
  }
}

void ReadMasks(const Hdf5File& file, Checkpoint& checkpoint) {
  for (const std::string& link : file.List("/masks")) {
    const std::string object = "/masks/" + link;
    const auto name = GetAttributeAs<std::string>(file, object, "name", "text");
    const ValueId id = checkpoint.graph.FindValue(name);
    if (MaskPath(name) != object || id == kNoValue || !checkpoint.graph.value(id).is_parameter) {
      Fail(At(file, object), "its attribute \"name\" is \"{}\", which is no parameter or another's",
           name);
    }
    Mask mask = ReadMask(file, object, checkpoint.graph.value(id).data.shape());
    CheckMask(checkpoint.graph, name, mask, At(file, object));
    checkpoint.masks.emplace(name, std::move(mask));
  }
}

void ReadMetrics(const Hdf5File& file, Checkpoint& checkpoint) {
  for (const auto& [name, value] : file.GetAttributes("/metrics")) {
    const double* number = std::get_if<double>(&value);
    if (number == nullptr) {
      Fail(At(file, "/metrics"), "attribute \"{}\" is not a real number", name);
    }
    checkpoint.metrics.emplace(name, *number);
  }
}

void ReadHistory(const Hdf5File& file, Checkpoint& checkpoint) {
  auto time = ReadTexts(file, "/history/time");
  auto version = ReadTextColumn(file, "/history/version", time.size());
  auto action = ReadTextColumn(file, "/history/action", time.size());
  for (size_t i = 0; i < time.size(); ++i) {
    checkpoint.history.push_back({std::move(time[i]), std::move(version[i]), std::move(action[i])});
  }
}

void ReadRoot(const Hdf5File& file, Checkpoint& checkpoint) {
  const auto format = GetAttributeAs<std::string>(file, "/", "format", "text");
  if (format != checkpoint_format::kFormatName) {
    Fail(At(file, "/"), "format is \"{}\", expected \"{}\"", format,
         checkpoint_format::kFormatName);
  }
  const auto major = GetAttributeAs<int64_t>(file, "/", "version_major", "an integer");
  if (major != int64_t{checkpoint_format::kMajor}) {
    Fail(At(file, "/"), "version_major is {}, the seal says {}", major, checkpoint_format::kMajor);
  }
  checkpoint.requested_sparsity =
      GetAttributeAs<double>(file, "/", "requested_sparsity", "a real number");
  checkpoint.achieved_sparsity =
      GetAttributeAs<double>(file, "/", "achieved_sparsity", "a real number");
  CheckFraction(checkpoint.requested_sparsity, "requested_sparsity", At(file, "/"));
  CheckFraction(checkpoint.achieved_sparsity, "achieved_sparsity", At(file, "/"));
}

}  // namespace

void SaveCheckpoint(const Checkpoint& checkpoint, const std::string& path) {
  Hdf5File file = Hdf5File::Create(path, kSealBytes);
  WriteRoot(checkpoint, file);
  WriteGraph(checkpoint.graph, file);
  WriteMasks(checkpoint, file);
  WriteLayers(checkpoint, file);
  file.WriteString("/configuration", checkpoint.configuration);
  WriteChecksum(file, "/configuration");
  file.WriteGroup("/metrics");
  for (const auto& [name, value] : checkpoint.metrics) file.SetAttribute("/metrics", name, value);
  WriteHistory(checkpoint, file);
  file.Commit(SealImage);
}

Checkpoint LoadCheckpoint(const std::string& path) {
  VerifySeal(path);
  const Hdf5File file = Hdf5File::Open(path);
  Checkpoint checkpoint;
  ReadRoot(file, checkpoint);
  checkpoint.graph = ReadGraph(file);
  ReadMasks(file, checkpoint);
  ReadLayers(file, checkpoint);
  CheckChecksum(file, "/configuration", file.Crc32("/configuration"));
  checkpoint.configuration = file.ReadString("/configuration");
  ReadMetrics(file, checkpoint);
  ReadHistory(file, checkpoint);
  return checkpoint;
}

}  // namespace sparsify
