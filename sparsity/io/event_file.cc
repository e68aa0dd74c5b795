#include "sparsity/io/event_file.h"

#include <event_messages.pb.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "sparsity/base/error.h"
#include "sparsity/io/crc32c.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

// Numbers of the event files in a folder.
std::vector<int64_t> Numbers(const std::string& folder) {
  std::vector<int64_t> numbers;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const std::string digits = name.substr(kPrefix.size());
    const bool is_number =
        !digits.empty() && digits.size() < 10 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (is_number) numbers.push_back(std::stoll(digits));
  }
  return numbers;
}

std::string NextPath(const std::string& folder) {
  MakeDirectories(folder);
  int64_t next = 0;
  for (const int64_t number : Numbers(folder)) next = std::max(next, number + 1);
  return fmt::format("{}/{}{:04}", folder, kPrefix, next);
}

void AppendNumber(uint64_t value, int bytes, std::string& to) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}

// As TFRecord files hold it, so that checksums of data that hold checksums stay sound.
uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

// A TFRecord: length, its checksum, contents, their checksum; little-endian.
std::string Record(const pb::Event& event) {
  const std::string contents = event.SerializeAsString();
  std::string record;
  AppendNumber(contents.size(), 8, record);
  AppendNumber(Masked(Crc32c(record)), 4, record);
  record += contents;
  AppendNumber(Masked(Crc32c(contents)), 4, record);
  return record;
}

pb::Event EventAt(int64_t step) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  pb::Event event;
  event.set_wall_time(now.count());
  event.set_step(step);
  return event;
}

}  // namespace

bool HasEventFiles(const std::string& folder) { return !Numbers(folder).empty(); }

EventFile::EventFile(const std::string& folder, int64_t first_step) : file_(NextPath(folder)) {
  pb::Event version = EventAt(0);
  version.set_file_version("brain.Event:2");  // the one that knows of starts
  pb::Event start = EventAt(first_step);
  start.mutable_session_log()->set_status(pb::EventSession::START);
  file_.Append(Record(version) + Record(start));
}

void EventFile::Write(int64_t step, const std::vector<Scalar>& scalars) {
  pb::Event event = EventAt(step);
  for (const Scalar& scalar : scalars) {
    pb::EventSummary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(scalar.tag);
    value.set_simple_value(static_cast<float>(scalar.value));
  }
  file_.Append(Record(event));
}

}  // namespace sparsify
