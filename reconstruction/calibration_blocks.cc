#include "reconstruction/calibration_blocks.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

constexpr int64_t kLoadedAtOnce = 16;

// Images to hold back of `count`, in whole batches where needed.
int64_t HeldImages(const CalibrationSettings& settings, int64_t count) {
  if (settings.held_back <= 0) return 0;
  auto held = static_cast<int64_t>(std::llround(settings.held_back * static_cast<double>(count)));
  held = std::max<int64_t>(1, held);
  if (settings.whole_only) held = (held + settings.batch - 1) / settings.batch * settings.batch;
  const int64_t trained = settings.whole_only ? settings.batch : 1;
  return held + trained <= count ? held : 0;
}

ImageBlocks Plan(const CalibrationSettings& settings, int64_t available) {
  int64_t count = std::min(available, settings.batch * settings.batches);
  if (settings.whole_only) count -= count % settings.batch;
  if (count == 0) {
    Fail("calibration", "{} usable images, the network takes {} at a time; give more images",
         available, settings.whole_only ? settings.batch : 1);
  }
  return ImageBlocks::Make(count, HeldImages(settings, count), settings.batch);
}

// Loads the images in this order; returns those that are broken.
std::set<int64_t> Fill(const Dataset& calibration, const std::vector<int64_t>& order,
                       const ImageBlocks& blocks, ActivationStore& store) {
  std::set<int64_t> broken;
  Batch batch;
  for (int64_t k = 0; k < blocks.count(); ++k) {
    const int64_t end = blocks.begin(k + 1);
    for (int64_t first = blocks.begin(k); first < end; first += kLoadedAtOnce) {
      ThrowIfInterrupted();
      const int64_t last = std::min(end, first + kLoadedAtOnce);
      const std::vector<int64_t> asked(order.begin() + first, order.begin() + last);
      LoadBatch(calibration, asked, batch);
      if (std::ssize(batch.indices) == std::ssize(asked)) {
        if (broken.empty()) store.Write(first, batch.images);
        continue;
      }
      broken.insert(asked.begin(), asked.end());
      for (const int64_t good : batch.indices) broken.erase(good);
    }
  }
  return broken;
}

void Announce(const CalibrationSettings& settings, const ImageBlocks& blocks, size_t broken) {
  if (broken > 0) Warn("calibration: {} broken images are left out", broken);
  if (settings.title.empty()) return;
  const int64_t wanted = settings.batch * settings.batches;
  const int64_t count = blocks.images();
  if (count < wanted) {
    Note("{}: {} calibration images are used, {} were asked for ({} batches of {}){}",
         settings.title, count, wanted, settings.batches, settings.batch,
         count < settings.batch ? "; they make one short batch" : "");
  }
  if (settings.held_back > 0 && blocks.held_blocks == 0) {
    Note("{}: {} images are too few to hold some back; every unit takes all its steps",
         settings.title, count);
  }
}

}  // namespace

std::shared_ptr<ActivationStore> LoadCalibration(const Dataset& calibration,
                                                 const CalibrationSettings& settings,
                                                 MemoryBudget& budget, ImageBlocks& blocks) {
  if (calibration.size() == 0) Fail("calibration", "no image; repair needs some");
  auto order = Random(settings.seed, 0).Permutation(calibration.size());
  size_t left_out = 0;
  while (true) {
    blocks = Plan(settings, std::ssize(order));
    auto store = std::make_shared<ActivationStore>(blocks, calibration.image_shape(), budget,
                                                   settings.scratch_directory);
    const auto broken = Fill(calibration, order, blocks, *store);
    if (broken.empty()) {
      Announce(settings, blocks, left_out);
      return store;
    }
    // Others take the places of the broken ones, from the start: no image moves between blocks.
    left_out += broken.size();
    std::erase_if(order, [&](int64_t image) { return broken.contains(image); });
  }
}

}  // namespace sparsify
