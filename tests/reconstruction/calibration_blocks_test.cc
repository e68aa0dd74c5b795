#include "reconstruction/calibration_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sparsity/base/log.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;

const Shape kImage = {1, 2, 2};

class Calibration : public ::testing::Test {
 protected:
  Calibration() {
    settings_.batch = 4;
    settings_.batches = 3;
    settings_.title = "repair";
  }

  // Which images of the dataset the store holds, in its order.
  std::vector<int64_t> Load(const RandomImages& images) {
    const auto store = LoadCalibration(images, settings_, budget_, blocks_);
    std::vector<int64_t> found;
    for (int64_t i = 0; i < blocks_.images(); ++i) {
      Tensor row;
      store->Read(i, 1, row);
      for (int64_t k = 0; k < images.size(); ++k) {
        float image[4] = {};
        if (!images.broken.contains(k)) images.Load(k, image);
        if (std::equal(image, image + 4, row.data())) found.push_back(k);
      }
    }
    return found;
  }

  CalibrationSettings settings_;
  MemoryBudget budget_{1 << 20};
  ImageBlocks blocks_;
  const LogCapture log_;
};

TEST_F(Calibration, DrawsImagesWithoutRepetitionByTheSeed) {
  const RandomImages images(50, kImage);
  const auto first = Load(images);
  EXPECT_EQ(first.size(), 12U);
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 12U);
  EXPECT_EQ(Load(images), first);
  settings_.seed = 1;
  EXPECT_NE(Load(images), first);
  EXPECT_THAT(blocks_.begins, ElementsAre(0, 4, 8, 12));
  EXPECT_TRUE(log_.lines().empty());
}

TEST_F(Calibration, HoldsBackAShare) {
  settings_.held_back = 0.25;
  Load(RandomImages(50, kImage));
  EXPECT_THAT(blocks_.begins, ElementsAre(0, 3, 7, 11, 12));
  EXPECT_EQ(blocks_.held_blocks, 1);
  settings_.held_back = 0.01;  // at least one image
  Load(RandomImages(50, kImage));
  EXPECT_EQ(blocks_.held_images(), 1);
}

TEST_F(Calibration, FewerImagesThanAskedForAreSaid) {
  EXPECT_EQ(Load(RandomImages(10, kImage)).size(), 10U);
  EXPECT_TRUE(
      log_.Contains("repair: 10 calibration images are used, 12 were asked for (3 batches of 4)"));
  EXPECT_EQ(Load(RandomImages(3, kImage)).size(), 3U);
  EXPECT_TRUE(
      log_.Contains("repair: 3 calibration images are used, 12 were asked for (3 batches of 4); "
                    "they make one short batch"));
  settings_.held_back = 0.5;
  Load(RandomImages(1, kImage));
  EXPECT_EQ(blocks_.held_blocks, 0);
  EXPECT_TRUE(log_.Contains(
      "repair: 1 images are too few to hold some back; every unit takes all its steps"));
}

TEST_F(Calibration, OthersTakeThePlacesOfBrokenImages) {
  RandomImages images(16, kImage);
  const auto order = Load(images);
  images.broken = {order[0], order[5], order[11]};
  const auto found = Load(images);
  EXPECT_EQ(found.size(), 12U);
  for (const int64_t image : images.broken) {
    EXPECT_EQ(std::count(found.begin(), found.end(), image), 0);
  }
  EXPECT_TRUE(log_.Contains("warning: calibration: 3 broken images are left out"));
  for (int64_t i = 0; i < 14; ++i) images.broken.insert(i);
  EXPECT_LE(Load(images).size(), 2U);
}

TEST_F(Calibration, ANetworkWithAFixedBatchGetsWholeBlocks) {
  settings_.whole_only = true;
  settings_.held_back = 0.1;
  Load(RandomImages(11, kImage));
  EXPECT_THAT(blocks_.begins, ElementsAre(0, 4, 8));
  EXPECT_EQ(blocks_.held_blocks, 1);
  Load(RandomImages(7, kImage));
  EXPECT_THAT(blocks_.begins, ElementsAre(0, 4));
  EXPECT_EQ(blocks_.held_blocks, 0);
  EXPECT_EQ(MessageOf([&] { Load(RandomImages(3, kImage)); }),
            "calibration: 3 usable images, the network takes 4 at a time; give more images");
  EXPECT_EQ(MessageOf([&] { Load(RandomImages(0, kImage)); }),
            "calibration: no image; repair needs some");
}

}  // namespace
}  // namespace sparsify
