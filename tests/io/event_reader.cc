#include "tests/io/event_reader.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace sparsify::testing {
namespace {

// A cursor over bytes.
class Bytes {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}

  bool done() const { return at_ == bytes_.size(); }

  std::string Take(uint64_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("cut off");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  uint64_t Number(uint64_t count) {
    uint64_t value = 0;
    const std::string taken = Take(count);
    for (uint64_t i = 0; i < count; ++i) {
      value += static_cast<uint64_t>(static_cast<uint8_t>(taken[i])) << (8 * i);
    }
    return value;
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint64_t byte = Number(1);
      value += (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

// One bit at a time, the polynomial not reversed.
uint32_t MaskedChecksum(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool in = ((static_cast<uint8_t>(c) >> bit) & 1) != 0;
      const bool out = (crc >> 31) != 0;
      crc = (crc << 1) ^ (in != out ? 0x1EDC6F41U : 0U);
    }
  }
  uint32_t reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= ((~crc >> bit) & 1) << (31 - bit);
  return std::rotr(reversed, 15) + 0xA282EAD8U;
}

enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kText = 2, kFixed32 = 5 };

uint64_t Key(uint64_t field, Wire wire) { return field << 3 | wire; }

[[noreturn]] void Unknown(uint64_t key) {
  throw std::runtime_error("unknown field " + std::to_string(key >> 3));
}

void ReadValue(Bytes bytes, ReadEvent& event) {
  std::string tag;
  bool has_value = false;
  while (!bytes.done()) {
    const uint64_t key = bytes.Varint();
    if (key == Key(1, kText)) {
      tag = bytes.Take(bytes.Varint());
    } else if (key == Key(2, kFixed32)) {
      event.scalars[tag] = std::bit_cast<float>(static_cast<uint32_t>(bytes.Number(4)));
      has_value = true;
    } else {
      Unknown(key);
    }
  }
  if (!has_value) throw std::runtime_error("no value of " + tag);
}

ReadEvent ReadMessage(Bytes bytes) {
  ReadEvent event;
  while (!bytes.done()) {
    const uint64_t key = bytes.Varint();
    if (key == Key(1, kFixed64)) {
      event.wall_time = std::bit_cast<double>(bytes.Number(8));
    } else if (key == Key(2, kVarint)) {
      event.step = static_cast<int64_t>(bytes.Varint());
    } else if (key == Key(3, kText)) {
      event.file_version = bytes.Take(bytes.Varint());
    } else if (key == Key(5, kText)) {
      Bytes summary(bytes.Take(bytes.Varint()));
      while (!summary.done()) {
        if (summary.Varint() != Key(1, kText)) throw std::runtime_error("no value");
        ReadValue(Bytes(summary.Take(summary.Varint())), event);
      }
    } else if (key == Key(7, kText)) {
      Bytes session(bytes.Take(bytes.Varint()));
      if (session.Varint() != Key(1, kVarint)) throw std::runtime_error("no status");
      event.session_status = static_cast<int64_t>(session.Varint());
    } else {
      Unknown(key);
    }
  }
  return event;
}

}  // namespace

std::vector<ReadEvent> ReadEvents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes bytes(std::string(std::istreambuf_iterator<char>(file), {}));
  std::vector<ReadEvent> events;
  while (!bytes.done()) {
    std::string length = bytes.Take(8);
    if (bytes.Number(4) != MaskedChecksum(length)) throw std::runtime_error("length is damaged");
    const std::string contents = bytes.Take(Bytes(length).Number(8));
    if (bytes.Number(4) != MaskedChecksum(contents)) throw std::runtime_error("data is damaged");
    events.push_back(ReadMessage(Bytes(contents)));
  }
  return events;
}

std::map<int64_t, float> ReadCurve(const std::string& folder, const std::string& tag) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::map<int64_t, float> curve;
  for (const std::string& path : paths) {
    for (const ReadEvent& event : ReadEvents(path)) {
      if (event.session_status == 1) curve.erase(curve.lower_bound(event.step), curve.end());
      if (const auto it = event.scalars.find(tag); it != event.scalars.end()) {
        if (!curve.emplace(event.step, it->second).second) {
          throw std::runtime_error("step " + std::to_string(event.step) + " occurs twice");
        }
      }
    }
  }
  return curve;
}

}  // namespace sparsify::testing
