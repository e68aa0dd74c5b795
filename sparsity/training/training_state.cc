#include "sparsity/training/training_state.h"

#include <cmath>
#include <set>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/io/hdf5_file.h"

namespace sparsify {
namespace {

constexpr int64_t kVersion = 1;
constexpr int64_t kRowNumbers = 7;
constexpr int64_t kSums = 5;

// Entries are numbered, and their names, which may hold anything, are a list.
std::string Entry(const std::string& group, size_t index) {
  return fmt::format("{}/{}", group, index);
}

template <class Map>
void WriteNames(const Map& entries, const std::string& group, Hdf5File& file) {
  file.WriteGroup(group);
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries) names.push_back(name);
  if (!names.empty()) file.WriteStrings(group + "/names", names);
}

// Each once, and as many as there are entries beside them.
std::vector<std::string> ReadNames(const Hdf5File& file, const std::string& group) {
  const auto stored = std::ssize(file.List(group));
  if (stored == 0) return {};
  std::vector<std::string> names = file.ReadStrings(group + "/names");
  if (std::ssize(names) != stored - 1) {
    Fail(file.path() + ":" + group, "{} names for {} entries; the file is damaged", names.size(),
         stored - 1);
  }
  const std::set<std::string> distinct(names.begin(), names.end());
  if (distinct.size() != names.size()) {
    Fail(file.path() + ":" + group + "/names", "a name occurs twice; the file is damaged");
  }
  return names;
}

void WriteTensors(const std::map<std::string, Tensor>& tensors, const std::string& group,
                  Hdf5File& file) {
  WriteNames(tensors, group, file);
  size_t index = 0;
  for (const auto& [name, tensor] : tensors) {
    file.WriteFloats(Entry(group, index++), tensor.shape(), tensor.values());
  }
}

std::map<std::string, Tensor> ReadTensors(const Hdf5File& file, const std::string& group) {
  std::map<std::string, Tensor> tensors;
  const std::vector<std::string> names = ReadNames(file, group);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string object = Entry(group, i);
    const Shape shape = file.Dims(object);
    Tensor tensor(shape);
    file.ReadFloats(object, 0, shape.rank() == 0 ? 1 : shape[0], tensor.values());
    tensors.emplace(names[i], std::move(tensor));
  }
  return tensors;
}

void WriteMasks(const std::map<std::string, Mask>& masks, Hdf5File& file) {
  WriteNames(masks, "/masks", file);
  size_t index = 0;
  for (const auto& [name, mask] : masks) {
    const std::string object = Entry("/masks", index++);
    file.WriteBytes(object, {std::ssize(mask.bytes())}, mask.bytes());
    file.SetAttribute(object, "shape", mask.shape().dims());
  }
}

Mask ReadMask(const Hdf5File& file, const std::string& object) {
  const std::string where = file.path() + ":" + object;
  const Hdf5Attribute attribute = file.GetAttribute(object, "shape");
  const auto* dims = std::get_if<std::vector<int64_t>>(&attribute);
  if (dims == nullptr) Fail(where, "its shape is no list of integers; the file is damaged");
  try {
    const Shape shape(*dims);
    const Shape stored = file.Dims(object);
    if (stored != Shape({(shape.NumElements() + 7) / 8})) {
      Fail("mask", "shape {} does not fit {} stored bytes", shape.ToString(), stored.ToString());
    }
    std::vector<uint8_t> bytes(static_cast<size_t>(stored[0]));
    file.ReadBytes(object, 0, stored[0], bytes);
    return Mask::FromBytes(shape, bytes);
  } catch (const Error& error) {
    Fail(where, "{}; the file is damaged", error.what());
  }
}

std::map<std::string, Mask> ReadMasks(const Hdf5File& file) {
  std::map<std::string, Mask> masks;
  const std::vector<std::string> names = ReadNames(file, "/masks");
  for (size_t i = 0; i < names.size(); ++i) {
    masks.emplace(names[i], ReadMask(file, Entry("/masks", i)));
  }
  return masks;
}

// A count among numbers, exact up to 2^53.
int64_t Count(const Hdf5File& file, const std::string& object, double number) {
  if (number >= 0 && number <= 0x1p53 && number == std::floor(number)) {
    return static_cast<int64_t>(number);
  }
  Fail(file.path() + ":" + object, "{} is no count; the file is damaged", number);
}

void WriteSums(const TrainingSums& sums, Hdf5File& file) {
  const std::vector<double> numbers = {sums.loss, static_cast<double>(sums.steps),
                                       static_cast<double>(sums.images),
                                       static_cast<double>(sums.correct), sums.seconds};
  file.WriteDoubles("/since_row", {kSums}, numbers);
}

TrainingSums ReadSums(const Hdf5File& file) {
  const std::string object = "/since_row";
  if (file.Dims(object) != Shape({kSums})) {
    Fail(file.path() + ":" + object, "shape {}, {} numbers expected", file.Dims(object).ToString(),
         kSums);
  }
  std::vector<double> numbers(static_cast<size_t>(kSums));
  file.ReadDoubles(object, 0, kSums, numbers);
  return {numbers[0], Count(file, object, numbers[1]), Count(file, object, numbers[2]),
          Count(file, object, numbers[3]), numbers[4]};
}

std::vector<double> Numbers(const TrainingRow& row) {
  return {
      static_cast<double>(row.step), row.epoch, row.loss, row.top1, row.learning_rate, row.sparsity,
      row.images_per_second};
}

void WriteRows(const std::vector<TrainingRow>& rows, Hdf5File& file) {
  std::vector<double> numbers;
  for (const TrainingRow& row : rows) {
    const std::vector<double> of_row = Numbers(row);
    numbers.insert(numbers.end(), of_row.begin(), of_row.end());
  }
  if (!rows.empty()) file.WriteDoubles("/rows", {std::ssize(rows), kRowNumbers}, numbers);
}

std::vector<TrainingRow> ReadRows(const Hdf5File& file) {
  std::vector<TrainingRow> rows;
  if (!file.Has("/rows")) return rows;
  const Shape shape = file.Dims("/rows");
  if (shape.rank() != 2 || shape[1] != kRowNumbers) {
    Fail(file.path() + ":/rows", "shape {}, {} columns expected", shape.ToString(), kRowNumbers);
  }
  std::vector<double> numbers(static_cast<size_t>(shape.NumElements()));
  file.ReadDoubles("/rows", 0, shape[0], numbers);
  for (size_t i = 0; i < numbers.size(); i += static_cast<size_t>(kRowNumbers)) {
    rows.push_back({Count(file, "/rows", numbers[i]), numbers[i + 1], numbers[i + 2],
                    numbers[i + 3], numbers[i + 4], numbers[i + 5], numbers[i + 6]});
  }
  return rows;
}

int64_t Integer(const Hdf5File& file, const std::string& name) {
  const Hdf5Attribute attribute = file.GetAttribute("/", name);
  const auto* value = std::get_if<int64_t>(&attribute);
  if (value == nullptr) Fail(file.path() + ":/", "{} is no integer; the file is damaged", name);
  if (*value >= 0) return *value;
  Fail(file.path() + ":/", "{} is {}, expected a count; the file is damaged", name, *value);
}

std::string Origin(const Hdf5File& file) {
  if (!file.HasAttribute("/", "origin")) return "";
  const Hdf5Attribute attribute = file.GetAttribute("/", "origin");
  const auto* text = std::get_if<std::string>(&attribute);
  if (text == nullptr) Fail(file.path() + ":/", "origin is no text; the file is damaged");
  return *text;
}

}  // namespace

void SaveTrainingState(const TrainingState& state, const std::string& path) {
  Hdf5File file = Hdf5File::Create(path);
  file.StorePlain();  // deflating took a fifth of the time of a training of ResNet-18
  file.SetAttribute("/", "training_state", kVersion);
  if (!state.origin.empty()) file.SetAttribute("/", "origin", state.origin);
  file.SetAttribute("/", "step", state.step);
  file.SetAttribute("/", "position", state.position);
  WriteTensors(state.parameters, "/parameters", file);
  WriteTensors(state.optimizer, "/optimizer", file);
  WriteTensors(state.rule, "/rule", file);
  WriteMasks(state.masks, file);
  WriteRows(state.rows, file);
  WriteSums(state.since_row, file);
  file.Commit();
}

TrainingState LoadTrainingState(const std::string& path) {
  const Hdf5File file = Hdf5File::Open(path);
  if (!file.HasAttribute("/", "training_state")) Fail(path, "holds no training state");
  const int64_t version = Integer(file, "training_state");
  if (version != kVersion) {
    Fail(path, "training state of version {}, this program reads {}", version, kVersion);
  }
  TrainingState state;
  state.origin = Origin(file);
  state.step = Integer(file, "step");
  state.position = Integer(file, "position");
  state.parameters = ReadTensors(file, "/parameters");
  state.optimizer = ReadTensors(file, "/optimizer");
  state.rule = ReadTensors(file, "/rule");
  state.masks = ReadMasks(file);
  state.rows = ReadRows(file);
  state.since_row = ReadSums(file);
  return state;
}

}  // namespace sparsify
